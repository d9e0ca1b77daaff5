#include "proxy/unknown_watch.h"

#include <stdio.h>

#include "base/duration.h"
#include "base/log.h"

/* The last ones of an upstream: a ring of as many as freeze it. */
struct recent_unknown {
    char *upstream;
    struct config_rate most;
    uint64_t *at_ms; /* loop time; `most.count` of them */
    unsigned next, count;
    bool due; /* it is to be frozen */
    struct link link;
};

struct unknown_watch {
    struct loop *loop;
    struct freezes *freezes;
    struct list all;
    struct task freeze;
};

static void begin_anew(struct recent_unknown *r, const struct config_rate *most)
{
    r->most = *most;
    r->next = r->count = 0;
    r->at_ms = must_realloc(r->at_ms, most->count * sizeof *r->at_ms);
}

static struct recent_unknown *find(struct unknown_watch *w, const char *upstream)
{
    LIST_FOR (&w->all, r, struct recent_unknown, link)
        if (strcmp(r->upstream, upstream) == 0)
            return r;
    struct recent_unknown *new = NEW(struct recent_unknown);
    new->upstream = must_strdup(upstream);
    list_push_back(&w->all, &new->link);
    return new;
}

static void freeze(struct unknown_watch *w, struct recent_unknown *r)
{
    char object[80], per[DURATION_TEXT_SIZE], by[80];
    duration_text(per, r->most.per_ms);
    snprintf(object, sizeof object, "upstream %s", r->upstream);
    snprintf(by, sizeof by, "freeze_on_unknown (%u/%s)", r->most.count, per);
    if (freezes_begin(w->freezes, r->upstream, NULL, by))
        LOG(WARN, object, "frozen by %s: no order is sent until unfreeze", by);
    else
        LOG(ERROR, object, "cannot be frozen by %s: too much is frozen", by);
    r->due = false;
}

static void on_freeze(struct task *task)
{
    struct unknown_watch *w = container_of(task, struct unknown_watch, freeze);
    LIST_FOR (&w->all, r, struct recent_unknown, link)
        if (r->due)
            freeze(w, r);
}

void unknown_watch_note(struct unknown_watch *w, const char *upstream,
                        const struct config_rate *most)
{
    if (most->count == 0)
        return;
    struct recent_unknown *r = find(w, upstream);
    uint64_t now = loop_now(w->loop);
    if (r->most.count != most->count || r->most.per_ms != most->per_ms)
        begin_anew(r, most);
    r->at_ms[r->next] = now;
    r->next = (r->next + 1) % most->count;
    r->count += r->count < most->count;
    if (r->count < most->count || now - r->at_ms[r->next] > most->per_ms)
        return;
    begin_anew(r, most);
    r->due = true;
    loop_defer(w->loop, &w->freeze);
}

struct unknown_watch *unknown_watch_new(struct loop *loop, struct freezes *freezes)
{
    struct unknown_watch *w = NEW(struct unknown_watch);
    w->loop = loop;
    w->freezes = freezes;
    list_init(&w->all);
    task_init(&w->freeze, on_freeze);
    return w;
}

void unknown_watch_free(struct unknown_watch *w)
{
    task_forget(&w->freeze);
    LIST_FOR (&w->all, r, struct recent_unknown, link) {
        list_remove(&r->link);
        free(r->upstream);
        free(r->at_ms);
        free(r);
    }
    free(w);
}
