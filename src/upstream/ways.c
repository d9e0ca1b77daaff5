#include "upstream/ways.h"

#include <string.h>

#include "config/exits.h"

/* ------------------------------------------------------------------- coming and going */

/* What was counted of it stays in the sum. */
static void free_left(struct ways *s, struct way *w)
{
    list_remove(&w->link);
    if (w->stats != s->common.stats)
        stats_add(s->common.stats, w->stats);
    way_free(w);
}

static void on_left(void *owner, struct way *w)
{
    free_left(owner, w);
}

static struct way *make(struct ways *s, const struct upstream_config *u,
                        const struct way_exit *exit, struct ways_mood mood)
{
    struct way *w = way_new(&s->common, u, exit);
    if (mood.is_paused) {
        pool_queue_pause(&w->queue, true);
        way_pause(w);
    }
    if (mood.is_draining)
        lines_drain(&w->lines);
    return w;
}

static struct way *take(struct way **from, size_t count, const struct config_exit *exit)
{
    for (size_t i = 0; i < count; i++) {
        struct way *w = from[i];
        if (w == NULL || !(w->exit && exit ? exits_same(w->exit, exit) : w->exit == exit))
            continue;
        from[i] = NULL;
        return w;
    }
    return NULL;
}

static const char *keep_name(struct ways *s, const char *name)
{
    for (size_t i = 0; i < s->name_count; i++)
        if (strcmp(s->names[i], name) == 0)
            return s->names[i];
    s->names = must_realloc(s->names, (s->name_count + 1) * sizeof *s->names);
    return s->names[s->name_count++] = must_strdup(name);
}

static struct way_exit exit_at(struct ways *s, const struct upstream_config *u, size_t i)
{
    if (u->exits.count == 0)
        return (struct way_exit){NULL, NULL};
    return (struct way_exit){&u->exits.at[i], keep_name(s, u->exits.at[i].name)};
}

static void leave_all(struct ways *s, struct way **from, size_t count, struct config *snapshot)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i] == NULL)
            continue;
        list_push_back(&s->leaving, &from[i]->link);
        way_leave(from[i], snapshot);
    }
}

void ways_set(struct ways *s, const struct upstream_config *u, struct config *snapshot,
              enum ways_change change, struct ways_mood mood)
{
    size_t count = u->exits.count ? u->exits.count : 1, before = s->count;
    struct way **now = must_calloc(count, sizeof *now), **was = s->at;
    bool *is_new = must_calloc(count, sizeof *is_new);
    for (size_t i = 0; i < count; i++) {
        const struct way_exit exit = exit_at(s, u, i);
        now[i] = take(was, before, exit.at);
        is_new[i] = now[i] == NULL;
        if (is_new[i])
            now[i] = make(s, u, &exit, mood);
    }
    s->at = now;
    s->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct way_exit exit = exit_at(s, u, i);
        if (!is_new[i] && change == WAYS_REDIRECT)
            way_redirect(now[i], u, &exit);
        else if (!is_new[i])
            way_configure(now[i], u, &exit, change == WAYS_RENEW);
    }
    leave_all(s, was, before, snapshot);
    free(is_new);
    free(was);
}

/* ------------------------------------------------------------------------- choosing */

/* SIZE_MAX: all have been tried. */
static size_t choose_any(struct ways *s, const struct ways_wish *wish)
{
    struct way_standing at[EXITS_MAX];
    for (size_t i = 0; i < s->count; i++)
        way_stand(s->at[i], wish->kind, &at[i]);
    size_t best = way_choice(at, s->count, wish->tried, s->turn);
    if (best == SIZE_MAX)
        return SIZE_MAX;
    s->turn = (best + 1) % s->count;
    for (size_t i = 0; !at[best].is_open && i < s->count; i++)
        way_probe(s->at[i]);
    return best;
}

static size_t place_of(const struct ways *s, uint64_t credential)
{
    uint64_t hashes[EXITS_MAX];
    for (size_t i = 0; i < s->count; i++)
        hashes[i] = s->at[i]->hash;
    return way_choice_of(hashes, s->count, credential);
}

struct way *ways_choose(struct ways *s, const struct ways_wish *wish, uint64_t *bit)
{
    size_t i = 0;
    if (s->count > 1)
        i = wish->credential ? place_of(s, wish->credential) : choose_any(s, wish);
    if (i == SIZE_MAX || wish->tried >> i & 1)
        return NULL;
    *bit = UINT64_C(1) << i;
    return s->at[i];
}

bool ways_hold(const struct ways *s, const struct gate_waiter *kind)
{
    EACH_WAY (s, w)
        if (!gate_holds(w->gate, kind))
            return false;
    return true;
}

size_t ways_lines(const struct ways *s)
{
    size_t n = 0;
    EACH_WAY (s, w)
        n += lines_open(&w->lines);
    LIST_FOR (&s->leaving, w, struct way, link)
        n += lines_open(&w->lines);
    return n;
}

struct address_sum {
    struct way_address *to;
    size_t count, most;
};

static void add_address(void *context, const struct line_view *v)
{
    struct address_sum *sum = context;
    if (v->protocol == NULL)
        return;
    for (size_t i = 0; i < sum->count; i++) {
        if (strcmp(sum->to[i].text, v->address) == 0) {
            sum->to[i].count++;
            return;
        }
    }
    if (sum->count == sum->most)
        return;
    struct way_address *a = &sum->to[sum->count++];
    snprintf(a->text, sizeof a->text, "%s", v->address);
    a->count = 1;
}

size_t ways_addresses(const struct ways *s, struct way_address *to, size_t most)
{
    struct address_sum sum = {.to = to, .most = most};
    EACH_WAY (s, w)
        lines_each(&w->lines, add_address, &sum);
    LIST_FOR (&s->leaving, w, struct way, link)
        lines_each(&w->lines, add_address, &sum);
    return sum.count;
}

/* ------------------------------------------------------------------------- its life */

void ways_init(struct ways *s, const struct way_common *common)
{
    *s = (struct ways){.common = *common};
    s->common.on_left = on_left;
    s->common.owner = s;
    list_init(&s->leaving);
}

void ways_free(struct ways *s)
{
    EACH_WAY (s, w)
        way_free(w);
    LIST_FOR (&s->leaving, w, struct way, link)
        free_left(s, w);
    for (size_t i = 0; i < s->name_count; i++)
        free(s->names[i]);
    free(s->names);
    free(s->at);
}
