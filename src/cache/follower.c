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
    struct follower *p = container_of(r, struct follower, reader);
    MAGIC_CHECK(p, MAGIC);
    return p;
}

static void enter(struct follower *p, enum follower_state to)
{
    const struct fetch_order *o = &p->order.fetch;
    STATE_ENTER_FOR(follower, &p->state, to, pool_origin(o->pool)->name, 0, &o->id);
    deadline_stop(&p->deadline);
}

static bool reads(const struct follower *p)
{
    return p->reader.state == STORED_READER_READING;
}

/* ---------------------------------------------------------------- stale, and failing */

/* Reads an old response in place of a failure. False: there is none. */
static bool serve_stale(struct follower *p, unsigned status, enum failure why, enum sent sent)
{
    if (!stored_reader_serve_stale(&p->reader, status, why, sent))
        return false;
    shared_fetch_take_weight(p->subscription.fetch, p->order.fetch.timing);
    enter(p, FOLLOWER_READING);
    shared_fetch_leave(&p->subscription);
    return true;
}

/* May an old response be served in place of such a failure of ours? A refusal at the gate
 * is no failure of the origin, but a hold is answered from the store (contract 5). */
static bool may_hide(const struct follower *p, const struct verdict *why)
{
    struct gate_waiter like_it = {0};
    return verdict_status(why) >= 500 ||
           (verdict_status(why) == 429 && gate_holds(pool_gate(p->order.fetch.pool), &like_it));
}

static void fail(struct follower *p, const struct verdict *why)
{
    struct verdict v = *why;
    if (p->was_sent)
        v.sent = SENT_YES;
    shared_fetch_take_timing(p->subscription.fetch, p->order.fetch.timing);
    shared_fetch_leave(&p->subscription);
    stored_reader_fail(&p->reader, &v);
}

/* ------------------------------------------------------------- finding its response */

static void fetch_alone(struct follower *p)
{
    shared_fetch_leave(&p->subscription);
    p->was_sent = true;
    p->env->on_alone(p->env->owner, p);
}

/* Gets the response as it comes. */
static void lead(struct follower *p, const struct response *head)
{
    struct shared_fetch *f = p->subscription.fetch;
    struct stored_response *s = shared_fetch_response(f);
    struct cache_status *status = p->order.status;
    status->sent = SENT_YES;
    status->age_ms = stored_response_told_age_ms(s, loop_age_clock(p->order.fetch.loop));
    status->stored = shared_fetch_is_stored(f);
    shared_fetch_take_timing(f, p->order.fetch.timing);
    stored_reader_choose(&p->reader, s, false);
    enter(p, FOLLOWER_FOLLOWING);
    stored_reader_begin(&p->reader, head);
}

/* Gets the response from what is kept of it. If its length is not known it may yet turn
 * out too large to be kept, and then the client had better not have begun: so it waits as
 * long as a response of its own would have taken. */
static void follow(struct follower *p)
{
    struct shared_fetch *f = p->subscription.fetch;
    struct stored_response *s = shared_fetch_response(f);
    uint64_t begins_at = loop_now(p->order.fetch.loop) + s->delay_ms;
    bool soon = stored_response_has_length(s);
    if (!shared_fetch_suits(f, p->order.policy.fields)) {
        fetch_alone(p);
        return;
    }
    p->order.fetch.timing->refused = shared_fetch_timing(f)->refused;
    stored_reader_choose(&p->reader, s, soon);
    enter(p, soon ? FOLLOWER_FOLLOWING : FOLLOWER_DEFERRING);
    if (!soon)
        deadline_at(&p->deadline,
                    begins_at < p->subscription.until_ms ? begins_at : p->subscription.until_ms);
}

/* The origin failed, and an old response is served instead. */
static bool hides_failure(struct follower *p)
{
    struct shared_fetch *f = p->subscription.fetch;
    return shared_fetch_is_failure(f) &&
           serve_stale(p, shared_fetch_response(f)->head.status, FAILURE_NONE, SENT_YES);
}

void follower_begin(struct follower *p, struct shared_fetch *f)
{
    p->order.status->result = CACHE_MISS;
    p->order.status->by_request = p->order.policy.bypasses;
    enter(p, FOLLOWER_WAITING);
    shared_fetch_begin(f, &p->subscription);
}

void follower_join(struct follower *p, struct shared_fetch *f)
{
    LOG(DEBUG, p->reader.order.upstream, "coalesced with request %s id=%s",
        request_id_text(shared_fetch_id(f)), request_id_text(&p->order.fetch.id));
    p->order.status->result = CACHE_COLLAPSED;
    shared_fetch_join(f, &p->subscription);
    if (shared_fetch_response(f) == NULL)
        enter(p, FOLLOWER_WAITING);
    else if (!hides_failure(p))
        follow(p);
}

/* --------------------------------------------------------- events of its shared fetch */

static struct follower *self(void *owner)
{
    struct follower *p = owner;
    MAGIC_CHECK(p, MAGIC);
    return p;
}

static void on_interim(void *owner, const struct response *r)
{
    stored_reader_interim(&self(owner)->reader, r);
}

static bool on_head(void *owner, const struct response *r, bool leads)
{
    struct follower *p = self(owner);
    if (hides_failure(p))
        return false;
    if (leads)
        lead(p, r);
    else
        follow(p);
    return true;
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
static void read_kept(struct follower *p, enum follower_state to)
{
    if (p->state != to)
        enter(p, to);
    if (!reads(p))
        stored_reader_begin_kept(&p->reader);
    stored_reader_read(&p->reader);
}

static void on_outgrown(void *owner, bool leads)
{
    struct follower *p = self(owner);
    if (leads) {
        read_kept(p, FOLLOWER_FOLLOWING);
    } else if (!reads(p)) {
        stored_reader_put_back(&p->reader);
        fetch_alone(p);
    }
}

static void on_whole(void *owner)
{
    read_kept(self(owner), FOLLOWER_READING);
}

static void on_failed(void *owner, const struct verdict *why, bool goes_on)
{
    struct follower *p = self(owner);
    if (!reads(p) && may_hide(p, why) && serve_stale(p, 0, why->error, why->sent))
        return;
    if (reads(p) || !goes_on)
        fail(p, why);
}

static size_t position(const void *owner)
{
    const struct follower *p = owner;
    return stored_reader_position(&p->reader);
}

static bool takes_more(const void *owner)
{
    const struct follower *p = owner;
    return stored_reader_takes_more(&p->reader);
}

static void on_deadline(struct deadline *d)
{
    read_kept(self(container_of(d, struct follower, deadline)), FOLLOWER_FOLLOWING);
}

/* ---------------------------------------------------------------- events of its reader */

static void free_now(struct task *task)
{
    struct follower *p = container_of(task, struct follower, free_later);
    stored_reader_release(&p->reader);
    p->magic = 0;
    free(p);
}

static void on_over(struct stored_reader *r)
{
    struct follower *p = of_reader(r);
    enter(p, FOLLOWER_OVER);
    if (p->subscription.fetch)
        shared_fetch_leave(&p->subscription);
    loop_defer(p->order.fetch.loop, &p->free_later);
}

static void on_caught_up(struct stored_reader *r)
{
    struct follower *p = of_reader(r);
    if (p->subscription.fetch)
        shared_fetch_caught_up(p->subscription.fetch);
}

/* The request is the same, whichever shared fetch sends it. */
static enum sent sent(const struct stored_reader *r)
{
    const struct follower *p = container_of(r, const struct follower, reader);
    if (p->was_sent)
        return SENT_YES;
    return p->subscription.fetch ? shared_fetch_sent(p->subscription.fetch) : p->order.status->sent;
}

static uint64_t patience(const struct stored_reader *r)
{
    const struct follower *p = container_of(r, const struct follower, reader);
    return p->subscription.fetch ? shared_fetch_patience(p->subscription.fetch) : UINT64_MAX;
}

/* That of its shared fetch, as long as it follows one. */
static void progress(const struct stored_reader *r, struct progress *to)
{
    const struct follower *p = container_of(r, const struct follower, reader);
    if (p->subscription.fetch)
        shared_fetch_progress(p->subscription.fetch, to);
}

/* ------------------------------------------------------------------------ beginning */

bool follower_reads_store(struct follower *p)
{
    if (!stored_reader_find(&p->reader))
        return false;
    enter(p, FOLLOWER_READING);
    return true;
}

bool follower_has_last_good(const struct follower *p)
{
    return p->reader.last_good != NULL;
}

void follower_fail_soon(struct follower *p, const struct verdict *why)
{
    stored_reader_fail_soon(&p->reader, why);
}

struct exchange *follower_exchange(struct follower *p)
{
    return &p->reader.base;
}

const struct follower_order *follower_order(const struct follower *p)
{
    return &p->order;
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
    struct follower *p = NEW(struct follower);
    struct pool *pool = o->fetch.pool;
    struct stored_reader_order reading = {.loop = o->fetch.loop,
                                          .cache = env->cache,
                                          .place = {pool_id(pool), o->fetch.request.target},
                                          .policy = o->policy,
                                          .arena = o->arena,
                                          .status = o->status,
                                          .upstream = pool_origin(pool)->name,
                                          .id = &p->order.fetch.id};
    p->magic = MAGIC;
    p->env = env;
    p->order = *o;
    stored_reader_init(&p->reader, &reading, &of_reader_events, events, client);
    subscription_init(&p->subscription, o->fetch.loop, o->fetch.total_ms, &of_fetch, p);
    deadline_init(&p->deadline, o->fetch.loop, on_deadline);
    task_init(&p->free_later, free_now);
    return p;
}
