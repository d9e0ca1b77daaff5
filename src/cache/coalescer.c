#include "cache/coalescer.h"

#include <inttypes.h>
#include <string.h>
#include <uthash.h>

struct coalescer {
    struct loop *loop;
    const struct origin_fetch_ops *ops;
    struct cache *cache;
    struct unshared unshared;
    struct follower_env env;
    struct list entries;    /* of all that are under way */
    struct entry *joinable; /* by key */
};

/* One shared fetch. */
struct entry {
    struct coalescer *coalescer;
    struct shared_fetch *fetch;
    struct link link;
    UT_hash_handle hh; /* while it may be joined */
    bool joinable;
    size_t key_len; /* 0: it is for its first follower alone */
    char key[];
};

/* ---------------------------------------------------------- what is under way */

static struct entry *find_key(const struct coalescer *c, struct span key)
{
    struct entry *e;
    HASH_FIND(hh, c->joinable, key.at, key.len, e);
    return e;
}

/* Another one may have taken the key meanwhile. */
static void open_entry(struct entry *e)
{
    struct coalescer *c = e->coalescer;
    if (e->key_len == 0 || find_key(c, (struct span){e->key, e->key_len}))
        return;
    HASH_ADD_KEYPTR(hh, c->joinable, e->key, e->key_len, e);
    e->joinable = true;
}

static void close_entry(struct entry *e)
{
    if (e->joinable)
        HASH_DEL(e->coalescer->joinable, e);
    e->joinable = false;
}

/* What it brings is for its present followers only. */
static void outdate_entry(struct entry *e)
{
    close_entry(e);
    e->key_len = 0;
    shared_fetch_outdate(e->fetch);
}

static void on_closed(void *owner)
{
    close_entry(owner);
}

static void on_reopened(void *owner)
{
    open_entry(owner);
}

static void on_over(void *owner)
{
    struct entry *e = owner;
    close_entry(e);
    list_remove(&e->link);
    free(e);
}

/* --------------------------------------------------------------------- opening */

/* With a key, further requests may join it. */
static void begin(struct coalescer *c, struct follower *f, struct span key)
{
    static const struct shared_fetch_events events = {on_closed, on_reopened, on_over};
    const struct follower_order *o = follower_order(f);
    struct shared_fetch_order order = {.fetch = o->fetch,
                                       .fields = o->policy.fields,
                                       .config = o->config,
                                       .ops = c->ops,
                                       .cache = c->cache,
                                       .unshared = &c->unshared};
    struct entry *e = must_calloc(1, sizeof *e + key.len);
    order.fetch.yields = follower_has_last_good(f);
    e->coalescer = c;
    e->fetch = shared_fetch_new(&order, &events, e);
    e->key_len = key.len;
    if (key.len)
        memcpy(e->key, key.at, key.len);
    list_push_back(&c->entries, &e->link);
    open_entry(e);
    follower_begin(f, e->fetch);
}

static void on_alone(void *owner, struct follower *f)
{
    begin(owner, f, (struct span){0});
}

/* What makes requests identical, apart from what the Vary of the response names. Those
 * that have an old response do not wait in a hold, and so not with the others. */
static struct span key_of(const struct follower *f)
{
    const struct follower_order *o = follower_order(f);
    struct text key = {0};
    text_printf(&key, "%" PRIu64 " %d %d ", pool_id(o->fetch.pool), o->policy.is_head,
                follower_has_last_good(f));
    for (size_t i = 0; i < o->policy.fields->count; i++)
        if (span_is_nocase(o->policy.fields->at[i].name, SPAN("Accept-Encoding")))
            text_printf(&key, "%.*s,", SPAN_ARG(o->policy.fields->at[i].value));
    text_add_str(&key, "\n");
    text_add(&key, o->fetch.request.target);
    struct span copy = arena_span(o->arena, text_span(&key));
    text_free(&key);
    return copy;
}

/* A response that is coming already may be too old for the request; the one that begins
 * instead is then for all that come later. */
static struct entry *find_for(const struct coalescer *c, const struct follower_order *o,
                              struct span key)
{
    struct entry *e = find_key(c, key);
    const struct stored_response *s = e ? shared_fetch_response(e->fetch) : NULL;
    if (s == NULL || stored_response_age_ms(s, loop_age_clock(c->loop)) < o->policy.most_age_ms)
        return e;
    close_entry(e);
    return NULL;
}

static bool was_unshared(const struct coalescer *c, const struct fetch_order *o)
{
    return unshared_has(&c->unshared, (struct cache_key){pool_id(o->pool), o->request.target},
                        loop_age_clock(c->loop));
}

static void join_or_begin(struct coalescer *c, struct follower *f)
{
    const struct follower_order *o = follower_order(f);
    const struct cache_policy *policy = &o->policy;
    struct span key = {0};
    if (policy->coalesce && !policy->bypasses && !policy->is_conditional &&
        !was_unshared(c, &o->fetch))
        key = key_of(f);
    struct entry *e = key.len ? find_for(c, o, key) : NULL;
    if (e)
        follower_join(f, e->fetch);
    else
        begin(c, f, key);
}

static struct verdict not_cached(void)
{
    struct verdict v = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO,
                                    "only-if-cached: no fresh answer is stored");
    v.status = 504; /* RFC 9111 5.2.1.7 */
    return v;
}

struct exchange *coalescer_open(struct coalescer *c, const struct follower_order *o,
                                const struct exchange_events *events, void *owner)
{
    struct follower *f = follower_new(&c->env, o, events, owner);
    if (!follower_reads_store(f)) {
        struct verdict why = not_cached();
        if (o->policy.only_if_cached)
            follower_fail_soon(f, &why);
        else
            join_or_begin(c, f);
    }
    return follower_exchange(f);
}

/* ------------------------------------------------------------------- all of it */

struct coalescer *coalescer_new(struct loop *loop, const struct origin_fetch_ops *ops)
{
    struct coalescer *c = NEW(struct coalescer);
    c->loop = loop;
    c->ops = ops;
    c->cache = cache_new();
    c->env = (struct follower_env){c->cache, on_alone, c};
    list_init(&c->entries);
    return c;
}

void coalescer_stop(struct coalescer *c)
{
    LIST_FOR (&c->entries, e, struct entry, link)
        shared_fetch_stop(e->fetch);
}

void coalescer_free(struct coalescer *c)
{
    CHECK(c->entries.count == 0);
    cache_free(c->cache);
    free(c);
}

void coalescer_configure(struct coalescer *c, size_t cache_size)
{
    cache_limit(c->cache, cache_size);
}

static bool is_in(uint64_t id, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

void coalescer_renew(struct coalescer *c, const uint64_t *unchanged, size_t count)
{
    cache_keep(c->cache, unchanged, count);
    LIST_FOR (&c->entries, e, struct entry, link)
        if (!is_in(shared_fetch_place(e->fetch).space, unchanged, count))
            outdate_entry(e);
}

void coalescer_forget(struct coalescer *c, const struct pool *pool, struct span target)
{
    cache_forget(c->cache, (struct cache_key){pool_id(pool), target});
    LIST_FOR (&c->entries, e, struct entry, link) {
        struct cache_key place = shared_fetch_place(e->fetch);
        if (place.space == pool_id(pool) && span_is(place.target, target))
            outdate_entry(e);
    }
}

size_t coalescer_entries(const struct coalescer *c)
{
    return cache_entries(c->cache);
}

size_t coalescer_bytes(const struct coalescer *c)
{
    return cache_bytes(c->cache);
}
