#include "proxy/flights_internal.h"

void passenger_get_off(struct passenger *p)
{
    list_remove(&p->link);
    deadline_stop(&p->deadline);
    p->flight = NULL;
}

void passenger_fly_alone(struct passenger *p)
{
    passenger_get_off(p);
    p->answered = true;
    flight_take_off(p, (struct span){0});
}

void passenger_take_trip(struct passenger *p)
{
    struct timing *to = p->order.fetch.timing, *from = &p->flight->timing;
    uint64_t had = to->weight;
    *to = *from;
    timing_gave_up(to, 0); /* the flight may wait on */
    to->weight += had;
    from->weight = 0;
}

/* Whoever is left flies on; with nobody aboard the request is given up. */
static void leave(struct passenger *p)
{
    struct flight *f = p->flight;
    if (f == NULL)
        return;
    passenger_get_off(p);
    flight_go_on(f);
}

/* ---------------------------------------------------------------------- failing */

bool passenger_serve_stale(struct passenger *p, unsigned status, enum failure why, enum sent sent)
{
    if (!reader_serve_stale(&p->reader, status, why, sent))
        return false;
    p->order.fetch.timing->weight += p->flight->timing.weight;
    p->flight->timing.weight = 0;
    passenger_get_off(p);
    return true;
}

/* A refusal at the gate is no failure of the origin's, but a hold is answered from
 * the store (SPEC 5). */
bool passenger_may_hide(const struct passenger *p, const struct verdict *why)
{
    struct gate_waiter like_it = {0};
    return verdict_status(why) >= 500 ||
           (verdict_status(why) == 429 && gate_holds(pool_gate(p->order.fetch.pool), &like_it));
}

/* Its request is the same, whichever flight it is aboard. */
void passenger_fail(struct passenger *p, const struct verdict *why)
{
    struct verdict v = *why;
    if (p->answered)
        v.sent = SENT_YES;
    passenger_take_trip(p);
    passenger_get_off(p);
    reader_fail(&p->reader, &v);
}

static void fail_or_hide(struct passenger *p, const struct verdict *why)
{
    if (!passenger_may_hide(p, why) || !passenger_serve_stale(p, 0, why->error, why->sent))
        passenger_fail(p, why);
}

/* ------------------------------------------------------------------- passengers */

static void free_passenger_now(struct task *task)
{
    struct passenger *p = container_of(task, struct passenger, free_later);
    reader_release(&p->reader);
    free(p);
}

static void on_over(struct reader *r)
{
    struct passenger *p = container_of(r, struct passenger, reader);
    leave(p);
    loop_defer(p->all->loop, &p->free_later);
}

static void on_drained(struct reader *r)
{
    struct passenger *p = container_of(r, struct passenger, reader);
    struct flight *f = p->flight;
    if (f)
        flight_go_on(f);
}

static enum sent sent(const struct reader *r)
{
    const struct passenger *p = container_of(r, const struct passenger, reader);
    if (p->answered)
        return SENT_YES;
    return p->flight && p->flight->fetch ? exchange_sent(p->flight->fetch) : p->order.note->sent;
}

/* Whoever is alone with a long answer paces it; who paces nothing holds no line, and the
 * fetch is not paused. */
static uint64_t patience(const struct reader *r)
{
    const struct passenger *p = container_of(r, const struct passenger, reader);
    return p->flight && p->flight->fetch ? exchange_patience(p->flight->fetch) : UINT64_MAX;
}

static void on_deadline(struct deadline *d)
{
    struct passenger *p = container_of(d, struct passenger, deadline);
    struct flight *f = p->flight;
    if (f->answer) {
        reader_begin_kept(&p->reader);
        reader_read(&p->reader);
        return;
    }
    struct verdict why = fetch_late(f->fetch, p->order.fetch.total_ms);
    fail_or_hide(p, &why);
    if (f->magic)
        flight_go_on(f);
}

/* The flight has as long as the one aboard who has longest; the others have
 * deadlines of their own. */
static void agree_on_time(struct flight *f, struct passenger *p)
{
    if (p->until_ms < f->until_ms)
        deadline_at(&p->deadline, p->until_ms);
    if (p->until_ms <= f->until_ms)
        return;
    LIST_FOR (&f->passengers, other, struct passenger, link)
        if (other->until_ms < p->until_ms && !deadline_is_set(&other->deadline))
            deadline_at(&other->deadline, other->until_ms);
    f->until_ms = p->until_ms;
    fetch_extend(f->fetch, f->until_ms);
}

void passenger_board(struct passenger *p, struct flight *f)
{
    p->flight = f;
    p->order.note->result = CACHE_COLLAPSED;
    list_push_back(&f->passengers, &p->link);
    if (f->answer == NULL)
        agree_on_time(f, p);
    else if (!flight_is_failure(f) ||
             !passenger_serve_stale(p, f->answer->head.status, FAILURE_NONE, SENT_YES))
        flight_follow(p);
}

struct passenger *passenger_new(struct flights *all, const struct flight_order *o,
                                const struct exchange_events *events, void *owner)
{
    static const struct reader_events own = {on_over, on_drained, sent, patience};
    struct passenger *p = NEW(struct passenger);
    struct reader_order reading = {.loop = all->loop,
                                   .cache = all->cache,
                                   .place = {pool_id(o->fetch.pool), o->fetch.request.target},
                                   .policy = o->policy,
                                   .arena = o->arena,
                                   .note = o->note};
    p->all = all;
    p->order = *o;
    p->until_ms = o->fetch.total_ms ? loop_now(all->loop) + o->fetch.total_ms : UINT64_MAX;
    reader_init(&p->reader, &reading, &own, events, owner);
    deadline_init(&p->deadline, all->loop, on_deadline);
    task_init(&p->free_later, free_passenger_now);
    return p;
}
