#include "proxy/freeze_verb.h"

#include <stdio.h>

#include "base/log.h"
#include "base/text.h"

/* The pools, and what is frozen, are looked through for a name. */
struct search {
    struct span upstream; /* empty: all */
    bool found;
    size_t tunnels;
};

static void look_at_pool(void *context, const struct pool *p)
{
    struct search *s = context;
    struct pool_view view;
    pool_describe(p, &view);
    if (s->upstream.len && !span_is(s->upstream, span_of(view.name)))
        return;
    s->found = true;
    s->tunnels += view.tunnels;
}

static void look_at_freeze(void *context, const struct freeze *f)
{
    struct search *s = context;
    s->found |= f->upstream && span_is(s->upstream, span_of(f->upstream));
}

/* What is frozen can be thawed, whether it is still configured or not. */
static bool is_known(const struct freeze_verb *v, struct freezes *freezes, struct search *s,
                     const struct config *c)
{
    if (v->lifts)
        freezes_each(freezes, look_at_freeze, s);
    return v->upstream.len == 0 || s->found || config_find(c, v->upstream.at, v->upstream.len);
}

static void log_verb(const struct freeze_verb *v, bool changed, size_t tunnels)
{
    char object[80] = "all upstreams", bot[80] = "";
    const char *what = !v->lifts ? "frozen" : changed ? "unfrozen" : "unfrozen, but it was not";
    if (v->upstream.len)
        snprintf(object, sizeof object, "upstream %.*s", SPAN_ARG(v->upstream));
    if (v->bot.len)
        snprintf(bot, sizeof bot, "bot %.*s ", SPAN_ARG(v->bot));
    LOG(WARN, object, "%s%s by %s", bot, what, v->who);
    if (tunnels && !v->lifts)
        LOG(WARN, object,
            "%zu open CONNECT tunnels and upgraded connections go on: it is not known whether "
            "they carry orders",
            tunnels);
}

static const char *text_or_null(struct span s, struct text *copy)
{
    text_add(copy, s);
    return s.len ? copy->at : NULL;
}

static bool obey(const struct freeze_verb *v, struct freezes *freezes, bool *changed)
{
    struct text upstream_copy = {0}, bot_copy = {0};
    const char *upstream = text_or_null(v->upstream, &upstream_copy);
    const char *bot = text_or_null(v->bot, &bot_copy);
    bool done = true;
    if (v->lifts)
        *changed = freezes_lift(freezes, upstream, bot);
    else
        *changed = done = freezes_begin(freezes, upstream, bot, v->who);
    text_free(&upstream_copy);
    text_free(&bot_copy);
    return done;
}

enum freeze_outcome freeze_verb_obey(const struct freeze_verb *v, struct freezes *freezes,
                                     const struct pools *pools, const struct config *c,
                                     size_t *tunnels)
{
    struct search s = {.upstream = v->upstream};
    bool changed;
    pools_each(pools, look_at_pool, &s);
    *tunnels = s.tunnels;
    if (!is_known(v, freezes, &s, c))
        return FREEZE_UNKNOWN;
    if (!obey(v, freezes, &changed))
        return FREEZE_FULL;
    log_verb(v, changed, s.tunnels);
    return FREEZE_DONE;
}
