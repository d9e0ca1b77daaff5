/* A map of this file.
 *
 *   coalescer    shared_fetch                      proxy/fetch         followers
 *   ---------    ------------                      -----------         ---------
 *   _new() ----> copies the request
 *   _begin() --> send_request(): AWAITING ---------------> ops->open()
 *   _join() ---> AWAITING, KEEPING
 *                on_head() <---------------------- head
 *                  new stored_response: KEEPING, or STREAMING ------> on_head
 *                on_body() <---------------------- body
 *                  keep(): to the response -------------------------> on_more
 *                  outgrow(): KEEPING to STREAMING -----------------> on_outgrown
 *                  stream(): past the response ---------------------> on_piece, on_more
 *                on_end() <----------------------- end
 *                  to the store; followers are let go --------------> on_whole
 *                  OVER
 *                on_failed() <-------------------- failure ---------> on_failed
 *                  followers left: send_request() again, AWAITING; else OVER
 *   _leave(), by a follower; none is left: desert()
 *                  DRAINING, if the request was sent whole; else OVER
 *
 * Ownership. The coalescer owns it until on_over, which end() tells, the one way to OVER;
 * the memory, an arena that holds the request's copy and this struct, is freed by a task
 * at the end of the turn, since end() may be called from inside any event. It owns the
 * exchange with the origin (`fetch`) until that ends or is cancelled, and one reference to
 * the response. Followers own themselves; their subscriptions are on the list `followers`
 * in the order in which they came, and the first of them leads: it gets the response as it
 * comes and, while that is streamed, paces the origin.
 *
 * Time. The fetch has the deadline of the follower that has most time. Followers with less
 * have one of their own, in the subscription, until the head has come. */
#include "cache/shared_fetch.h"

#include "base/rare.h"
#include "base/state.h"

#define MAGIC 0x73666574
#define AHEAD_MAX (64 * 1024) /* bytes that wait for a slow leader before the origin is paused */

#define SHARED_FETCH_STATES(S)                                                                     \
    S(SHARED_FETCH_AWAITING, "awaiting",                                                           \
      TO(SHARED_FETCH_AWAITING) | TO(SHARED_FETCH_KEEPING) | TO(SHARED_FETCH_STREAMING) |          \
          TO(SHARED_FETCH_DRAINING) | TO(SHARED_FETCH_OVER))                                       \
    S(SHARED_FETCH_KEEPING, "keeping",                                                             \
      TO(SHARED_FETCH_STREAMING) | TO(SHARED_FETCH_DRAINING) | TO(SHARED_FETCH_OVER))              \
    S(SHARED_FETCH_STREAMING, "streaming", TO(SHARED_FETCH_DRAINING) | TO(SHARED_FETCH_OVER))      \
    S(SHARED_FETCH_DRAINING, "draining", TO(SHARED_FETCH_OVER))                                    \
    S(SHARED_FETCH_OVER, "over", 0)
STATE_TYPE(shared_fetch, SHARED_FETCH_STATES)

struct shared_fetch {
    unsigned magic;
    enum shared_fetch_state state;
    const struct shared_fetch_events *events;
    void *owner;
    struct arena *arena;
    struct shared_fetch_order order;
    struct fields fields; /* of the client that began it, for Vary */
    struct cache_key place;
    struct timing timing;
    struct exchange *fetch; /* NULL: ended */
    enum sent sent;         /* once it has ended: of its request */
    struct list followers;  /* the first one leads */
    struct stored_response *response;
    bool stores;       /* the response, when it is whole */
    bool outdated;     /* but not any more */
    bool paused;       /* the fetch, by a leader that is too far behind */
    uint64_t began_at; /* loop_age_clock() */
    uint64_t began_us; /* the same as loop_clock_us() */
    uint64_t until_ms; /* loop time; the most that any follower has */
    uint64_t bound_ms; /* the same when the fetch began, and so of its waits in queues */
    struct task free_later;
};

static void enter(struct shared_fetch *f, enum shared_fetch_state to)
{
    const struct fetch_order *o = &f->order.fetch;
    STATE_ENTER_FOR(shared_fetch, &f->state, to, pool_origin(o->pool)->name, 0, &o->id);
}

static uint64_t now_of(const struct shared_fetch *f)
{
    return loop_age_clock(f->order.fetch.loop);
}

static struct subscription *leader(const struct shared_fetch *f)
{
    return LIST_ENTRY(list_first(&f->followers), struct subscription, link);
}

/* ------------------------------------------------------------------------ its end */

static void free_now(struct task *task)
{
    struct shared_fetch *f = container_of(task, struct shared_fetch, free_later);
    stored_response_unref(f->response);
    config_unref(f->order.config);
    f->magic = 0;
    arena_free(f->arena);
}

static void end(struct shared_fetch *f)
{
    if (f->fetch)
        exchange_cancel(f->fetch);
    f->fetch = NULL;
    enter(f, SHARED_FETCH_OVER);
    loop_defer(f->order.fetch.loop, &f->free_later);
    f->events->on_over(f->owner);
}

static void ignore_head(void *owner, const struct response *r)
{
    (void)owner, (void)r;
}

static void ignore_body(void *owner, const char *data, size_t len)
{
    (void)owner, (void)data, (void)len;
}

static void on_drained(void *owner, const struct fields *trailers)
{
    struct shared_fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    (void)trailers;
    f->fetch = NULL;
    end(f);
}

static void on_drain_failed(void *owner, const struct verdict *why)
{
    struct shared_fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    (void)why;
    f->fetch = NULL;
    end(f);
}

/* No follower is left. */
static void desert(struct shared_fetch *f)
{
    static const struct exchange_events unheard = {.on_interim = ignore_head,
                                                   .on_head = ignore_head,
                                                   .on_body = ignore_body,
                                                   .on_end = on_drained,
                                                   .on_failed = on_drain_failed};
    f->events->on_closed(f->owner);
    if (f->fetch && f->order.ops->drain(f->fetch, &unheard, f))
        enter(f, SHARED_FETCH_DRAINING);
    else
        end(f);
}

void shared_fetch_stop(struct shared_fetch *f)
{
    if (f->state == SHARED_FETCH_DRAINING)
        end(f);
}

void shared_fetch_outdate(struct shared_fetch *f)
{
    f->outdated = true;
}

/* ---------------------------------------------------------------------- followers */

/* Before the head its time is up, though the shared fetch has more. */
static void on_late(struct deadline *d)
{
    struct subscription *s = container_of(d, struct subscription, deadline);
    struct shared_fetch *f = s->fetch;
    MAGIC_CHECK(f, MAGIC);
    struct verdict why = f->order.ops->late(f->fetch, s->total_ms);
    s->events->on_failed(s->owner, &why, false);
}

void subscription_init(struct subscription *s, struct loop *loop, uint64_t total_ms,
                       const struct subscription_events *events, void *owner)
{
    *s = (struct subscription){.events = events, .owner = owner, .total_ms = total_ms};
    s->until_ms = total_ms ? loop_now(loop) + total_ms : UINT64_MAX;
    deadline_init(&s->deadline, loop, on_late);
}

static void subscribe(struct shared_fetch *f, struct subscription *s)
{
    s->fetch = f;
    list_push_back(&f->followers, &s->link);
}

static void unsubscribe(struct subscription *s)
{
    s->fetch = NULL;
    list_remove(&s->link);
    deadline_stop(&s->deadline);
}

/* The fetch gets as long as the follower that has most; the others need deadlines. */
static void agree_on_time(struct shared_fetch *f, struct subscription *s)
{
    if (s->until_ms < f->until_ms)
        deadline_at(&s->deadline, s->until_ms);
    if (s->until_ms <= f->until_ms)
        return;
    LIST_FOR (&f->followers, other, struct subscription, link)
        if (other->until_ms < s->until_ms && !deadline_is_set(&other->deadline))
            deadline_at(&other->deadline, other->until_ms);
    f->until_ms = s->until_ms;
    f->order.ops->extend(f->fetch, f->until_ms);
}

void shared_fetch_join(struct shared_fetch *f, struct subscription *s)
{
    CHECK(f->state == SHARED_FETCH_AWAITING || f->state == SHARED_FETCH_KEEPING);
    subscribe(f, s);
    if (f->state == SHARED_FETCH_AWAITING)
        agree_on_time(f, s);
}

/* How many bytes of the body the follower has not been told yet. */
static size_t behind(const struct shared_fetch *f, const struct subscription *s)
{
    size_t at = s->events->position(s->owner), length = stored_response_length(f->response);
    return at < length ? length - at : 0;
}

static void resume_if_caught_up(struct shared_fetch *f)
{
    if (!f->paused || behind(f, leader(f)))
        return;
    f->paused = false;
    exchange_resume(f->fetch);
}

void shared_fetch_leave(struct subscription *s)
{
    struct shared_fetch *f = s->fetch;
    unsubscribe(s);
    if (f->followers.count)
        resume_if_caught_up(f);
    else
        desert(f);
}

void shared_fetch_caught_up(struct shared_fetch *f)
{
    resume_if_caught_up(f);
}

/* ---------------------------------------------------------------------- its facts */

struct stored_response *shared_fetch_response(const struct shared_fetch *f)
{
    return f->response;
}

bool shared_fetch_is_failure(const struct shared_fetch *f)
{
    return f->timing.refused || cache_policy_is_failure(f->response->head.status);
}

bool shared_fetch_is_stored(const struct shared_fetch *f)
{
    return f->stores && stored_response_has_length(f->response);
}

bool shared_fetch_suits(const struct shared_fetch *f, const struct fields *fields)
{
    return f->state == SHARED_FETCH_KEEPING &&
           (shared_fetch_is_failure(f) || stored_response_fits(f->response, fields));
}

const struct timing *shared_fetch_timing(const struct shared_fetch *f)
{
    return &f->timing;
}

void shared_fetch_take_weight(struct shared_fetch *f, struct timing *to)
{
    to->weight += f->timing.weight;
    f->timing.weight = 0;
}

void shared_fetch_take_timing(struct shared_fetch *f, struct timing *to)
{
    uint64_t weight = to->weight;
    *to = f->timing;
    to->weight = weight;
    timing_gave_up(to, 0, loop_clock_us(f->order.fetch.loop)); /* the fetch may wait on */
    shared_fetch_take_weight(f, to);
}

enum sent shared_fetch_sent(const struct shared_fetch *f)
{
    return f->fetch ? exchange_sent(f->fetch) : f->sent;
}

void shared_fetch_progress(const struct shared_fetch *f, struct progress *to)
{
    if (f->fetch)
        *to = exchange_progress(f->fetch);
}

const struct request_id *shared_fetch_id(const struct shared_fetch *f)
{
    return &f->order.fetch.id;
}

/* A follower alone with a long response paces it. Others pace nothing and hold no
 * connection: the fetch is not paused. */
uint64_t shared_fetch_patience(const struct shared_fetch *f)
{
    return f->fetch ? exchange_patience(f->fetch) : UINT64_MAX;
}

struct cache_key shared_fetch_place(const struct shared_fetch *f)
{
    return f->place;
}

/* -------------------------------------------------------------- the response comes */

static void on_interim(void *owner, const struct response *r)
{
    struct shared_fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    leader(f)->events->on_interim(leader(f)->owner, r);
}

/* It came, or failed. */
static void fetch_ended(struct shared_fetch *f, enum sent sent)
{
    f->fetch = NULL;
    f->sent = sent;
    f->paused = false;
    f->events->on_closed(f->owner);
}

/* May it be kept for all, and will it be stored? */
static void judge(struct shared_fetch *f, const struct response *r)
{
    size_t most = f->order.fetch.settings->cache_max_object;
    bool fits = r->framing != FRAMING_LENGTH || r->length <= most;
    bool keeps = fits && (cache_policy_permits(r) || shared_fetch_is_failure(f));
    f->stores = keeps && cache_policy_stores(r) && !f->order.fetch.request.is_head &&
                !f->timing.refused && !f->timing.unseen &&
                cache_takes(f->order.cache, f->place, f->response, r->has_length ? r->length : 0);
    if (!shared_fetch_is_failure(f))
        unshared_note(f->order.unshared, f->place, keeps, now_of(f));
    enter(f, keeps ? SHARED_FETCH_KEEPING : SHARED_FETCH_STREAMING);
    if (!keeps)
        f->events->on_closed(f->owner);
}

/* In ms, from when the request was sent (RFC 9111 4.2.3); until then it may have waited for long, in
 * which nothing grew old. The age clock counts suspended time, which must not be lost. */
static uint64_t response_delay(const struct shared_fetch *f)
{
    uint64_t all = now_of(f) - f->began_at, lent_us = f->timing.lent_us;
    uint64_t waited = lent_us > f->began_us ? (lent_us - f->began_us) / 1000 : 0;
    return all > waited ? all - waited : 0;
}

static void on_head(void *owner, const struct response *r)
{
    struct shared_fetch *f = owner;
    bool led = false;
    MAGIC_CHECK(f, MAGIC);
    f->response = stored_response_new(r, &f->fields, now_of(f), response_delay(f));
    judge(f, r);
    LIST_FOR (&f->followers, s, struct subscription, link) {
        deadline_stop(&s->deadline);
        led |= s->events->on_head(s->owner, r, !led);
    }
}

static void keep(struct shared_fetch *f, const char *data, size_t len)
{
    text_add(&f->response->body, (struct span){data, len});
    LIST_FOR (&f->followers, s, struct subscription, link)
        s->events->on_more(s->owner);
}

/* Those that have begun to read go on, and so does the leader; the others had better ask
 * for themselves. */
static void outgrow(struct shared_fetch *f)
{
    struct subscription *first = leader(f);
    f->stores = false;
    rare_note(RARE_COALESCE_OUTGROWN);
    enter(f, SHARED_FETCH_STREAMING);
    unshared_note(f->order.unshared, f->place, false, now_of(f));
    f->events->on_closed(f->owner);
    LIST_FOR (&f->followers, s, struct subscription, link)
        if (s != first)
            s->events->on_outgrown(s->owner, false);
    first->events->on_outgrown(first->owner, true);
}

/* What all of them have been told was kept for nobody else. Moving the rest for a few
 * bytes is not worth it. */
static void drop_told(struct shared_fetch *f)
{
    size_t length = stored_response_length(f->response), most = 0;
    LIST_FOR (&f->followers, s, struct subscription, link)
        if (behind(f, s) > most)
            most = behind(f, s);
    if (most == 0 || length - most - f->response->dropped >= AHEAD_MAX)
        stored_response_drop(f->response, length - most);
}

/* Followers pace nobody, so memory is bounded by failing those that are too far behind. */
static void cut_off_slow_followers(struct shared_fetch *f)
{
    size_t most = AHEAD_MAX + 2 * f->order.fetch.settings->cache_max_object;
    LIST_FOR (&f->followers, s, struct subscription, link) {
        if (s == leader(f) || behind(f, s) <= most)
            continue;
        rare_note(RARE_COALESCE_CUT_OFF);
        struct verdict why = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_YES,
                                          "it reads far slower than others that share the answer");
        s->events->on_failed(s->owner, &why, false);
    }
}

static void stream(struct shared_fetch *f, const char *data, size_t len)
{
    struct subscription *first = leader(f);
    if (f->followers.count == 1 && behind(f, first) == 0 &&
        first->events->takes_more(first->owner)) {
        drop_told(f);
        stored_response_skip(f->response, len);
        first->events->on_piece(first->owner, data, len);
        return;
    }
    keep(f, data, len);
    if (f->state != SHARED_FETCH_STREAMING)
        return;
    drop_told(f);
    cut_off_slow_followers(f);
    if (behind(f, leader(f)) > AHEAD_MAX && !f->paused) {
        f->paused = true;
        exchange_pause(f->fetch);
    }
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct shared_fetch *f = owner;
    MAGIC_CHECK(f, MAGIC);
    size_t most = f->order.fetch.settings->cache_max_object;
    if (f->state == SHARED_FETCH_KEEPING && stored_response_length(f->response) + len > most)
        outgrow(f);
    if (f->state == SHARED_FETCH_KEEPING)
        keep(f, data, len);
    else if (f->state == SHARED_FETCH_STREAMING)
        stream(f, data, len);
}

static void on_end(void *owner, const struct fields *trailers)
{
    struct shared_fetch *f = owner;
    struct subscription *s;
    MAGIC_CHECK(f, MAGIC);
    fetch_ended(f, SENT_YES);
    f->response->whole = true;
    text_fit(&f->response->body);
    f->response->trailers = fields_copy(f->response->arena, trailers);
    if (f->stores && !f->outdated)
        cache_put(f->order.cache, f->place, f->response, &f->fields);
    while ((s = leader(f))) {
        unsubscribe(s);
        s->events->on_whole(s->owner);
    }
    end(f);
}

/* Is it no reason to fail for this follower? The time of the one that began it, or its
 * place at the gate, is not that of all. */
static bool may_go_on(const struct shared_fetch *f, const struct subscription *s,
                      const struct verdict *why)
{
    const struct fetch_order *o = &f->order.fetch;
    bool limited = verdict_status(why) == 429;
    bool refused = limited || why->error == FAILURE_DESTINATION_UNAVAILABLE;
    bool late = limited || loop_now(o->loop) >= f->bound_ms;
    return f->state == SHARED_FETCH_AWAITING && why->sent == SENT_NO &&
           ((late && s->until_ms > f->bound_ms) || (o->yields && refused));
}

static void send_request(struct shared_fetch *f, uint64_t until_ms);

static void on_failed(void *owner, const struct verdict *v)
{
    struct shared_fetch *f = owner;
    struct verdict why = *v;
    uint64_t until_ms = 0;
    MAGIC_CHECK(f, MAGIC);
    fetch_ended(f, why.sent);
    LIST_FOR (&f->followers, s, struct subscription, link)
        s->events->on_failed(s->owner, &why, may_go_on(f, s, &why));
    if (f->state == SHARED_FETCH_OVER)
        return;
    LIST_FOR (&f->followers, s, struct subscription, link)
        if (s->until_ms > until_ms)
            until_ms = s->until_ms;
    enter(f, SHARED_FETCH_AWAITING);
    rare_note(RARE_COALESCE_AGAIN);
    f->order.fetch.yields = false;
    f->events->on_reopened(f->owner);
    send_request(f, until_ms);
}

static void on_drain(void *owner)
{
    (void)owner; /* a request without a body has nothing to hold back */
}

/* ---------------------------------------------------------------------- beginning */

static uint64_t left_until(struct loop *loop, uint64_t until_ms)
{
    uint64_t now = loop_now(loop);
    if (until_ms == UINT64_MAX)
        return 0;
    return until_ms > now ? until_ms - now : 1;
}

static void send_request(struct shared_fetch *f, uint64_t until_ms)
{
    static const struct exchange_events events = {.on_interim = on_interim,
                                                  .on_head = on_head,
                                                  .on_body = on_body,
                                                  .on_end = on_end,
                                                  .on_failed = on_failed,
                                                  .on_drain = on_drain};
    static const struct fields none;
    f->until_ms = f->bound_ms = until_ms;
    f->order.fetch.total_ms = left_until(f->order.fetch.loop, until_ms);
    f->timing = (struct timing){0};
    f->began_at = now_of(f);
    f->began_us = loop_clock_us(f->order.fetch.loop);
    f->fetch = f->order.ops->open(&f->order.fetch, &events, f);
    exchange_finish(f->fetch, &none);
}

void shared_fetch_begin(struct shared_fetch *f, struct subscription *s)
{
    subscribe(f, s);
    send_request(f, s->until_ms);
}

static void copy_request(struct fetch_order *o, struct arena *a)
{
    o->request.method = arena_span(a, o->request.method);
    o->request.target = arena_span(a, o->request.target);
    o->request.fields = fields_copy(a, &o->request.fields);
    if (o->bot_said.len)
        o->bot_said = arena_span(a, o->bot_said);
    if (o->serialize_value.len)
        o->serialize_value = arena_span(a, o->serialize_value);
}

struct shared_fetch *shared_fetch_new(const struct shared_fetch_order *o,
                                      const struct shared_fetch_events *events, void *owner)
{
    struct arena *a = arena_new();
    struct shared_fetch *f = arena_alloc(a, sizeof *f);
    f->magic = MAGIC;
    f->events = events;
    f->owner = owner;
    f->arena = a;
    f->order = *o;
    copy_request(&f->order.fetch, a);
    f->order.fetch.timing = &f->timing;
    config_ref(o->config);
    f->fields = fields_copy(a, o->fields);
    f->place = (struct cache_key){pool_id(o->fetch.pool), f->order.fetch.request.target};
    list_init(&f->followers);
    task_init(&f->free_later, free_now);
    return f;
}
