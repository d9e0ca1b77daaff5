#include <inttypes.h>

#include "proxy/flights_internal.h"

/* ---------------------------------------------------------------------- opening */

/* What makes requests identical; what else the answer depends on, its Vary tells. Those
 * that have an old answer wait for nothing, and so not with the others. */
static struct span key_of(const struct passenger *p)
{
    const struct flight_order *o = &p->order;
    struct text key = {0};
    text_printf(&key, "%" PRIu64 " %d %d ", pool_id(o->fetch.pool), o->policy.is_head,
                p->reader.last_good != NULL);
    for (size_t i = 0; i < o->policy.fields->count; i++)
        if (span_is_nocase(o->policy.fields->at[i].name, SPAN("Accept-Encoding")))
            text_printf(&key, "%.*s,", SPAN_ARG(o->policy.fields->at[i].value));
    text_add_str(&key, "\n");
    text_add(&key, o->fetch.request.target);
    struct span copy = arena_span(o->arena, text_span(&key));
    text_free(&key);
    return copy;
}

static struct verdict not_cached(void)
{
    struct verdict v = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO,
                                    "only-if-cached: no fresh answer is stored");
    v.status = 504; /* RFC 9111 5.2.1.7 */
    return v;
}

/* An answer that comes already may be too old for who wants none of before; and if so,
 * it is for whoever comes after him. */
static struct flight *find_flight(const struct passenger *p, struct span key)
{
    struct flight *f = flight_find(p->all, key);
    uint64_t now = loop_age_clock(p->all->loop);
    if (f == NULL || f->answer == NULL ||
        stored_response_age_ms(f->answer, now) < p->order.policy.most_age_ms)
        return f;
    flight_close_doors(f);
    return NULL;
}

static bool was_unshared(const struct passenger *p)
{
    const struct fetch_order *o = &p->order.fetch;
    return unshared_has(&p->all->unshared, (struct cache_key){pool_id(o->pool), o->request.target},
                        loop_age_clock(p->all->loop));
}

/* With a flight: one under way, or a new one. */
static void depart(struct passenger *p)
{
    const struct cache_policy *s = &p->order.policy;
    struct span key = {0};
    if (s->coalesce && !s->bypasses && !s->is_conditional && !was_unshared(p))
        key = key_of(p);
    struct flight *f = key.len ? find_flight(p, key) : NULL;
    if (f)
        passenger_board(p, f);
    else
        flight_take_off(p, key);
}

struct exchange *flights_open(struct flights *all, const struct flight_order *o,
                              const struct exchange_events *events, void *owner)
{
    struct passenger *p = passenger_new(all, o, events, owner);
    if (!reader_find(&p->reader)) {
        struct verdict why = not_cached();
        if (o->policy.only_if_cached)
            reader_fail_soon(&p->reader, &why);
        else
            depart(p);
    }
    return &p->reader.base;
}

/* ------------------------------------------------------------------------- all */

struct flights *flights_new(struct loop *loop)
{
    struct flights *all = NEW(struct flights);
    all->loop = loop;
    all->cache = cache_new();
    list_init(&all->all);
    list_init(&all->deserted);
    return all;
}

void flights_stop(struct flights *all)
{
    LIST_FOR (&all->deserted, f, struct flight, link)
        flight_drop(f);
}

void flights_free(struct flights *all)
{
    CHECK(all->all.count + all->deserted.count == 0);
    cache_free(all->cache);
    free(all);
}

void flights_configure(struct flights *all, size_t cache_size)
{
    cache_limit(all->cache, cache_size);
}

void flights_renew(struct flights *all, const uint64_t *unchanged, size_t count)
{
    cache_keep(all->cache, unchanged, count);
    LIST_FOR (&all->all, f, struct flight, link) {
        size_t i = 0;
        while (i < count && unchanged[i] != f->place.space)
            i++;
        if (i == count)
            flight_outdate(f);
    }
}

void flights_forget(struct flights *all, const struct pool *pool, struct span target)
{
    cache_forget(all->cache, (struct cache_key){pool_id(pool), target});
    LIST_FOR (&all->all, f, struct flight, link)
        if (f->place.space == pool_id(pool) && span_is(f->place.target, target))
            flight_outdate(f);
}

size_t flights_entries(const struct flights *all)
{
    return cache_entries(all->cache);
}

size_t flights_bytes(const struct flights *all)
{
    return cache_bytes(all->cache);
}
