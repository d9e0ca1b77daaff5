#include "cache/follower.h"

#include "base/state.h"
#include "cache/stored_reader.h"

#define MAGIC 0x666f6c6c

#define FOLLOWER_STATES(S)                                                                         \
    S(FOLLOWER_STARTING, "starting",                                                               \
      TO(FOLLOWER_WAITING) | TO(FOLLOWER_DEFERRING) | TO(FOLLOWER_FOLLOWING) |                     \
          TO(FOLLOWER_READING) | TO(FOLLOWER_OVER))                                                \
    S(FOLLOWER_WAITING, "waiting",                                                                 \
      TO(FOLLOWER_WAITING) | TO(FOLLOWER_DEFERRING) | TO(FOLLOWER_FOLLOWING) |                     \
          TO(FOLLOWER_READING) | TO(FOLLOWER_OVER))                                                \
    S(FOLLOWER_DEFERRING, "deferring",                                                             \
      TO(FOLLOWER_WAITING) | TO(FOLLOWER_FOLLOWING) | TO(FOLLOWER_READING) | TO(FOLLOWER_OVER))    \
    S(FOLLOWER_FOLLOWING, "following",                                                             \
      TO(FOLLOWER_WAITING) | TO(FOLLOWER_READING) | TO(FOLLOWER_OVER))                             \
    S(FOLLOWER_READING, "reading", TO(FOLLOWER_OVER))                                              \
    S(FOLLOWER_OVER, "over", 0)
STATE_TYPE(follower, FOLLOWER_STATES)

struct follower {
    struct stored_reader reader;
    unsigned magic;
    enum follower_state state;
    const struct follower_env *env;
    struct follower_order order;
    struct subscription subscription;
    bool was_sent;            /* by an earlier shared fetch, whose response it could not use */
    struct deadline deadline; /* while it defers: it begins then */
    struct task free_later;
};

static struct follower *of_reader(struct stored_reader *r)
{
    struct follower *f = container_of(r, struct follower, reader);
    MAGIC_CHECK(f, MAGIC);
    return f;
}

static void enter(struct follower *f, enum follower_state to)
{
    const struct fetch_order *o = &f->order.fetch;
    STATE_ENTER_FOR(follower, &f->state, to, pool_origin(o->pool)->name, 0, &o->id);
    deadline_stop(&f->deadline);
}

static bool reads(const struct follower *f)
{
    return f->reader.state == STORED_READER_READING;
}

/* ---------------------------------------------------------------- stale, and failing */

/* Reads an old response in place of a failure. False: there is none. */
static bool serve_stale(struct follower *f, unsigned status, enum failure why, enum sent sent)
{
    if (!stored_reader_serve_stale(&f->reader, status, why, sent))
        return false;
    shared_fetch_take_weight(f->subscription.fetch, f->order.fetch.timing);
    enter(f, FOLLOWER_READING);
    shared_fetch_leave(&f->subscription);
    return true;
}

/* May an old response be served in place of such a failure of ours? A refusal at the gate
 * is no failure of the origin, but a hold is answered from the store (contract 5). */
static bool may_hide(const struct follower *f, const struct verdict *why)
{
    struct gate_waiter like_it = {.bot = f->order.fetch.bot};
    return verdict_status(why) >= 500 ||
           (verdict_status(why) == 429 && ways_hold(pool_ways(f->order.fetch.pool), &like_it));
}

static void fail(struct follower *f, const struct verdict *why)
{
    struct verdict v = *why;
    if (f->was_sent)
        v.sent = SENT_YES;
    shared_fetch_take_timing(f->subscription.fetch, f->order.fetch.timing);
    shared_fetch_leave(&f->subscription);
    stored_reader_fail(&f->reader, &v);
}

/* ------------------------------------------------------------- finding its response */

static void fetch_alone(struct follower *f)
{
    shared_fetch_leave(&f->subscription);
    f->was_sent = true;
    f->env->on_alone(f->env->owner, f);
}

/* Gets the response as it comes. */
static void lead(struct follower *f, const struct response *head)
{
    struct shared_fetch *fetch = f->subscription.fetch;
    struct stored_response *s = shared_fetch_response(fetch);
    struct cache_status *status = f->order.status;
    status->sent = SENT_YES;
    status->age_ms = stored_response_told_age_ms(s, loop_age_clock(f->order.fetch.loop));
    status->stored = shared_fetch_is_stored(fetch);
    shared_fetch_take_timing(fetch, f->order.fetch.timing);
    stored_reader_choose(&f->reader, s, false);
    enter(f, FOLLOWER_FOLLOWING);
    stored_reader_begin(&f->reader, head);
}

/* Gets the response from what is kept of it. If its length is not known it may yet turn
 * out too large to be kept, and then the client had better not have begun: so it waits as
 * long as a response of its own would have taken. */
static void follow(struct follower *f)
{
    struct shared_fetch *fetch = f->subscription.fetch;
    struct stored_response *s = shared_fetch_response(fetch);
    uint64_t begins_at = loop_now(f->order.fetch.loop) + s->delay_ms;
    bool soon = stored_response_has_length(s);
    if (!shared_fetch_suits(fetch, f->order.policy.fields)) {
        fetch_alone(f);
        return;
    }
    f->order.fetch.timing->refused = shared_fetch_timing(fetch)->refused;
    stored_reader_choose(&f->reader, s, soon);
    enter(f, soon ? FOLLOWER_FOLLOWING : FOLLOWER_DEFERRING);
    if (!soon)
        deadline_at(&f->deadline,
                    begins_at < f->subscription.until_ms ? begins_at : f->subscription.until_ms);
}

/* The origin failed, and an old response is served instead. */
static bool hides_failure(struct follower *f)
{
    struct shared_fetch *fetch = f->subscription.fetch;
    return shared_fetch_is_failure(fetch) &&
           serve_stale(f, shared_fetch_response(fetch)->head.status, FAILURE_NONE, SENT_YES);
}

void follower_begin(struct follower *f, struct shared_fetch *fetch)
{
    f->order.status->result = CACHE_MISS;
    f->order.status->by_request = f->order.policy.bypasses;
    enter(f, FOLLOWER_WAITING);
    shared_fetch_begin(fetch, &f->subscription);
}

void follower_join(struct follower *f, struct shared_fetch *fetch)
{
    LOG(DEBUG, f->reader.order.upstream, "coalesced with request %s id=%s",
        request_id_text(shared_fetch_id(fetch)), request_id_text(&f->order.fetch.id));
    f->order.status->result = CACHE_COLLAPSED;
    shared_fetch_join(fetch, &f->subscription);
    if (shared_fetch_response(fetch) == NULL)
        enter(f, FOLLOWER_WAITING);
    else if (!hides_failure(f))
        follow(f);
}

/* --------------------------------------------------------- events of its shared fetch */

static struct follower *self(void *owner)
{
    struct follower *f = owner;
    MAGIC_CHECK(f, MAGIC);
    return f;
}

static void on_interim(void *owner, const struct response *r)
{
    stored_reader_interim(&self(owner)->reader, r);
}

/* The shared fetch sent the request of the follower that began it. If that one has left, the next
 * one leads only if it may have the response of another request. */
static bool may_lead(const struct follower *f, const struct response *head)
{
    return f->order.status->result != CACHE_COLLAPSED ||
           (cache_policy_permits(head) &&
            stored_response_fits(shared_fetch_response(f->subscription.fetch),
                                 f->order.policy.fields));
}

static bool on_head(void *owner, const struct response *r, bool leads)
{
    struct follower *f = self(owner);
    const struct shared_fetch *fetch = f->subscription.fetch;
    if (hides_failure(f))
        return false;
    if (leads && may_lead(f, r))
        lead(f, r);
    else
        follow(f);
    return f->subscription.fetch == fetch;
}

static void on_more(void *owner)
{
    stored_reader_read(&self(owner)->reader);
}

static void on_piece(void *owner, const char *data, size_t len)
{
    stored_reader_pass(&self(owner)->reader, data, len);
}

/* Begins with what is kept, if it has not, and reads on. */
static void read_kept(struct follower *f, enum follower_state to)
{
    if (f->state != to)
        enter(f, to);
    if (!reads(f))
        stored_reader_begin_kept(&f->reader);
    stored_reader_read(&f->reader);
}

static void on_outgrown(void *owner, bool leads)
{
    struct follower *f = self(owner);
    if (leads) {
        read_kept(f, FOLLOWER_FOLLOWING);
    } else if (!reads(f)) {
        stored_reader_put_back(&f->reader);
        fetch_alone(f);
    }
}

static void on_whole(void *owner)
{
    read_kept(self(owner), FOLLOWER_READING);
}

static void on_failed(void *owner, const struct verdict *why, bool goes_on)
{
    struct follower *f = self(owner);
    if (!reads(f) && may_hide(f, why) && serve_stale(f, 0, why->error, why->sent))
        return;
    if (reads(f) || !goes_on)
        fail(f, why);
}

static size_t position(const void *owner)
{
    const struct follower *f = owner;
    return stored_reader_position(&f->reader);
}

static bool takes_more(const void *owner)
{
    const struct follower *f = owner;
    return stored_reader_takes_more(&f->reader);
}

static void on_deadline(struct deadline *d)
{
    read_kept(self(container_of(d, struct follower, deadline)), FOLLOWER_FOLLOWING);
}

/* ---------------------------------------------------------------- events of its reader */

static void free_now(struct task *task)
{
    struct follower *f = container_of(task, struct follower, free_later);
    stored_reader_release(&f->reader);
    f->magic = 0;
    free(f);
}

static void on_over(struct stored_reader *r)
{
    struct follower *f = of_reader(r);
    enter(f, FOLLOWER_OVER);
    if (f->subscription.fetch)
        shared_fetch_leave(&f->subscription);
    loop_defer(f->order.fetch.loop, &f->free_later);
}

static void on_caught_up(struct stored_reader *r)
{
    struct follower *f = of_reader(r);
    if (f->subscription.fetch)
        shared_fetch_caught_up(f->subscription.fetch);
}

/* The request is the same, whichever shared fetch sends it. */
static enum sent sent(const struct stored_reader *r)
{
    const struct follower *f = container_of(r, const struct follower, reader);
    if (f->was_sent)
        return SENT_YES;
    return f->subscription.fetch ? shared_fetch_sent(f->subscription.fetch) : f->order.status->sent;
}

static uint64_t patience(const struct stored_reader *r)
{
    const struct follower *f = container_of(r, const struct follower, reader);
    return f->subscription.fetch ? shared_fetch_patience(f->subscription.fetch) : UINT64_MAX;
}

/* That of its shared fetch, as long as it follows one. */
static void progress(const struct stored_reader *r, struct progress *to)
{
    const struct follower *f = container_of(r, const struct follower, reader);
    if (f->subscription.fetch)
        shared_fetch_progress(f->subscription.fetch, to);
}

/* ------------------------------------------------------------------------ beginning */

bool follower_reads_store(struct follower *f)
{
    if (!stored_reader_find(&f->reader))
        return false;
    enter(f, FOLLOWER_READING);
    return true;
}

bool follower_has_last_good(const struct follower *f)
{
    return f->reader.last_good != NULL;
}

void follower_fail_soon(struct follower *f, const struct verdict *why)
{
    stored_reader_fail_soon(&f->reader, why);
}

struct exchange *follower_exchange(struct follower *f)
{
    return &f->reader.base;
}

const struct follower_order *follower_order(const struct follower *f)
{
    return &f->order;
}

struct follower *follower_new(const struct follower_env *env, const struct follower_order *o,
                              const struct exchange_events *events, void *client)
{
    static const struct stored_reader_events of_reader_events = {on_over, on_caught_up, sent,
                                                                 patience, progress};
    static const struct subscription_events of_fetch = {.on_interim = on_interim,
                                                        .on_head = on_head,
                                                        .on_more = on_more,
                                                        .on_piece = on_piece,
                                                        .on_outgrown = on_outgrown,
                                                        .on_whole = on_whole,
                                                        .on_failed = on_failed,
                                                        .position = position,
                                                        .takes_more = takes_more};
    struct follower *f = NEW(struct follower);
    struct pool *pool = o->fetch.pool;
    struct stored_reader_order reading = {.loop = o->fetch.loop,
                                          .cache = env->cache,
                                          .place = {pool_id(pool), o->fetch.request.target},
                                          .policy = o->policy,
                                          .arena = o->arena,
                                          .status = o->status,
                                          .upstream = pool_origin(pool)->name,
                                          .id = &f->order.fetch.id};
    f->magic = MAGIC;
    f->env = env;
    f->order = *o;
    stored_reader_init(&f->reader, &reading, &of_reader_events, events, client);
    subscription_init(&f->subscription, o->fetch.loop, o->fetch.total_ms, &of_fetch, f);
    deadline_init(&f->deadline, o->fetch.loop, on_deadline);
    task_init(&f->free_later, free_now);
    return f;
}
