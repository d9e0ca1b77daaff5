#include "daemon/watchdog.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/notify.h"

#define STATUS_EVERY_MS 5000
#define NAMED_MOST 3

struct watchdog {
    const struct admin *admin;
    uint64_t every_ms; /* 0: nobody listens */
    bool watched;
    struct deadline next;
};

/* ------------------------------------------------------------------- status */

struct count {
    size_t upstreams, up, lines, busy, waiting;
    struct text others; /* those that are not up: "kraken paused, okx open" */
};

static void count_pool(void *context, const struct pool *p)
{
    struct count *c = context;
    struct pool_view v;
    pool_describe(p, &v);
    c->lines += v.idle + v.active + v.connecting;
    c->busy += v.active;
    c->waiting += v.waiting;
    if (!v.listed)
        return;
    c->upstreams++;
    bool is_up = strcmp(v.state, "up") == 0;
    c->up += is_up;
    size_t others = c->upstreams - c->up;
    if (!is_up && others <= NAMED_MOST)
        text_printf(&c->others, "%s%s %s", others > 1 ? ", " : "", v.name, v.state);
    else if (!is_up && others == NAMED_MOST + 1)
        text_add_str(&c->others, ", ...");
}

void watchdog_status(const struct admin *a, struct text *out)
{
    const struct totals *t = a->totals;
    size_t active = t->under_way.requests.count;
    struct count c = {0};
    pools_each(a->pools, count_pool, &c);
    if (a->draining)
        text_add_str(out, "draining; ");
    text_printf(out, "%zu of %zu upstreams up", c.up, c.upstreams);
    if (c.others.len)
        text_printf(out, " (%s)", c.others.at);
    text_printf(out, "; %zu lines, %zu busy, %zu waiting", c.lines, c.busy, c.waiting);
    text_printf(out, "; %" PRIu64 " requests, %zu active, %" PRIu64 " failed",
                active + t->succeeded + t->failed + t->abandoned, active, t->failed);
    text_free(&c.others);
}

/* -------------------------------------------------------------------- beating */

void watchdog_beat(struct watchdog *p)
{
    struct text status = {0};
    if (p->every_ms == 0)
        return;
    watchdog_status(p->admin, &status);
    notify_status(status.at, p->watched);
    text_free(&status);
    deadline_in(&p->next, p->every_ms);
}

static void on_next(struct deadline *d)
{
    watchdog_beat(container_of(d, struct watchdog, next));
}

/* Twice as often as the watchdog wants, as sd_watchdog_enabled(3) recommends. */
static uint64_t interval(uint64_t watchdog_ms)
{
    if (watchdog_ms == 0 || watchdog_ms / 2 > STATUS_EVERY_MS)
        return STATUS_EVERY_MS;
    return watchdog_ms > 1 ? watchdog_ms / 2 : 1;
}

struct watchdog *watchdog_new(struct loop *l, const struct admin *a)
{
    struct watchdog *p = NEW(struct watchdog);
    p->admin = a;
    uint64_t watchdog_ms = notify_watchdog_ms();
    p->watched = watchdog_ms > 0;
    p->every_ms = notify_heard() ? interval(watchdog_ms) : 0;
    deadline_init(&p->next, l, on_next);
    if (p->every_ms)
        deadline_in(&p->next, 0);
    return p;
}

void watchdog_free(struct watchdog *p)
{
    deadline_stop(&p->next);
    free(p);
}
