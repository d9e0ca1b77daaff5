#include "proxy/flights_internal.h"

#define MAGIC 0x666c6967
#define AHEAD_MAX (64 * 1024) /* bytes that wait for a slow reader before the origin is held up */

static uint64_t now_of(const struct flight *f)
{
    return loop_age_clock(f->all->loop);
}

static struct passenger *first_aboard(const struct flight *f)
{
    return passenger_of(list_first(&f->passengers));
}

/* ------------------------------------------------------------------ a flight's end */

static void free_flight_now(struct task *task)
{
    struct flight *f = container_of(task, struct flight, free_later);
    stored_response_unref(f->answer);
    config_unref(f->config);
    arena_free(f->arena);
}

void flight_close_doors(struct flight *f)
{
    if (f->joinable)
        HASH_DEL(f->all->joinable, f);
    f->joinable = false;
}

void flight_outdate(struct flight *f)
{
    flight_close_doors(f);
    f->key = (struct span){0};
    f->outdated = true;
}

void flight_drop(struct flight *f)
{
    if (f->fetch)
        exchange_cancel(f->fetch);
    f->fetch = NULL;
    list_remove(&f->link);
    loop_defer(f->all->loop, &f->free_later);
}

static void hear_nothing(void *owner, const struct response *r)
{
    (void)owner, (void)r;
}

static void drop_body(void *owner, const char *data, size_t len)
{
    (void)owner, (void)data, (void)len;
}

static void on_drained(void *owner, const struct fields *trailers)
{
    struct flight *f = owner;
    (void)trailers;
    f->fetch = NULL;
    flight_drop(f);
}

static void on_drain_failed(void *owner, const struct verdict *why)
{
    struct flight *f = owner;
    (void)why;
    f->fetch = NULL;
    flight_drop(f);
}

void flight_land(struct flight *f)
{
    static const struct exchange_events unheard = {.on_interim = hear_nothing,
                                                   .on_head = hear_nothing,
                                                   .on_body = drop_body,
                                                   .on_end = on_drained,
                                                   .on_failed = on_drain_failed};
    CHECK(f->passengers.count == 0);
    flight_close_doors(f);
    f->magic = 0;
    if (f->fetch && fetch_follow(f->fetch, &unheard, f)) {
        list_remove(&f->link);
        list_push_back(&f->all->deserted, &f->link);
    } else {
        flight_drop(f);
    }
}

/* ------------------------------------------------------------------ taking off */

static void on_interim(void *owner, const struct response *r);
static void on_head(void *owner, const struct response *r);
static void on_body(void *owner, const char *data, size_t len);
static void on_end(void *owner, const struct fields *trailers);
static void on_failed(void *owner, const struct verdict *why);

static void on_drain(void *owner)
{
    (void)owner; /* a request without a body has nothing to hold back */
}

struct flight *flight_find(struct flights *all, struct span key)
{
    struct flight *f;
    HASH_FIND(hh, all->joinable, key.at, key.len, f);
    return f;
}

static void open_doors(struct flight *f)
{
    if (f->key.len == 0 || flight_find(f->all, f->key))
        return;
    HASH_ADD_KEYPTR(hh, f->all->joinable, f->key.at, f->key.len, f);
    f->joinable = true;
}

static uint64_t left_until(const struct flights *all, uint64_t until_ms)
{
    uint64_t now = loop_now(all->loop);
    if (until_ms == UINT64_MAX)
        return 0;
    return until_ms > now ? until_ms - now : 1;
}

static void fly(struct flight *f, uint64_t until_ms)
{
    static const struct exchange_events events = {.on_interim = on_interim,
                                                  .on_head = on_head,
                                                  .on_body = on_body,
                                                  .on_end = on_end,
                                                  .on_failed = on_failed,
                                                  .on_drain = on_drain};
    static const struct fields none;
    f->until_ms = f->bound_ms = until_ms;
    f->order.total_ms = left_until(f->all, until_ms);
    f->timing = (struct timing){0};
    f->fetch = fetch_open(&f->order, &events, f);
    exchange_finish(f->fetch, &none);
}

/* The request is copied: the client that began it may leave first. */
static struct flight *new_flight(const struct passenger *p, struct span key)
{
    struct arena *a = arena_new();
    struct flight *f = arena_alloc(a, sizeof *f);
    const struct fetch_order *o = &p->order.fetch;
    f->magic = MAGIC;
    f->all = p->all;
    f->arena = a;
    f->config = config_ref(p->order.config);
    f->key = key.len ? arena_span(a, key) : key;
    f->order = *o;
    f->order.request.method = arena_span(a, o->request.method);
    f->order.request.target = arena_span(a, o->request.target);
    f->order.request.fields = fields_copy(a, &o->request.fields);
    f->order.turn = o->turn.len ? arena_span(a, o->turn) : o->turn;
    f->order.timing = &f->timing;
    f->order.yields = p->reader.last_good != NULL;
    f->place = (struct cache_key){pool_id(o->pool), f->order.request.target};
    f->asked = fields_copy(a, p->order.policy.fields);
    f->began_at = now_of(f);
    list_init(&f->passengers);
    list_push_back(&f->all->all, &f->link);
    task_init(&f->free_later, free_flight_now);
    return f;
}

/* With a key others may join it. */
void flight_take_off(struct passenger *p, struct span key)
{
    struct flight *f = new_flight(p, key);
    p->flight = f;
    p->order.note->result = CACHE_MISS;
    p->order.note->by_request = p->order.policy.bypasses;
    list_push_back(&f->passengers, &p->link);
    open_doors(f);
    fly(f, p->until_ms);
}

/* -------------------------------------------------------------- the answer comes */

static bool has_known_length(const struct stored_response *s)
{
    return s->whole || s->head.framing == FRAMING_LENGTH || s->head.framing == FRAMING_NONE;
}

/* The first one aboard gets the answer as it comes. */
static void lead(struct passenger *p, const struct response *r)
{
    struct flight *f = p->flight;
    deadline_stop(&p->deadline);
    passenger_take_trip(p);
    reader_choose(&p->reader, f->answer, false);
    p->order.note->sent = SENT_YES;
    p->order.note->age_ms = stored_response_told_age_ms(f->answer, now_of(f));
    p->order.note->stored = f->stores && has_known_length(f->answer);
    reader_begin(&p->reader, r);
}

/* Everybody else gets it from what is kept: a failure in any case, since an origin that
 * fails is not to be asked by all of them at once. Of unknown length, it may outgrow that
 * yet: then they had better not have begun, so they wait as long as an answer of their own
 * would have taken. */
void flight_follow(struct passenger *p)
{
    struct flight *f = p->flight;
    if (!f->keeping ||
        !(flight_is_failure(f) || stored_response_fits(f->answer, p->order.policy.fields))) {
        passenger_fly_alone(p);
        return;
    }
    bool soon = has_known_length(f->answer);
    uint64_t begins_at = loop_now(f->all->loop) + f->answer->delay_ms;
    p->order.fetch.timing->refused = f->timing.refused; /* it is a failure for everybody */
    deadline_stop(&p->deadline);
    if (!soon)
        deadline_at(&p->deadline, begins_at < p->until_ms ? begins_at : p->until_ms);
    reader_choose(&p->reader, f->answer, soon);
}

bool flight_is_failure(const struct flight *f)
{
    return f->timing.refused || cache_policy_is_failure(f->answer->head.status);
}

static void on_interim(void *owner, const struct response *r)
{
    struct flight *f = owner;
    MAGIC_CHECK(f, MAGIC);
    reader_interim(&first_aboard(f)->reader, r);
}

/* A passenger may get off while told of it, but no other than that one. */
static void on_head(void *owner, const struct response *r)
{
    struct flight *f = owner;
    MAGIC_CHECK(f, MAGIC);
    size_t most = f->order.settings->cache_max_object;
    bool led = false, fits = r->framing != FRAMING_LENGTH || r->length <= most;
    f->answer = stored_response_new(r, &f->asked, now_of(f), now_of(f) - f->began_at);
    f->keeping = fits && (cache_policy_permits(r) || flight_is_failure(f));
    f->stores = f->keeping && cache_policy_stores(r) && !f->order.request.is_head &&
                !f->timing.refused && !f->timing.unseen &&
                cache_takes(f->all->cache, f->place, f->answer, r->has_length ? r->length : 0);
    if (!flight_is_failure(f))
        unshared_note(&f->all->unshared, f->place, f->keeping, now_of(f));
    if (!f->keeping)
        flight_close_doors(f);
    LIST_FOR (&f->passengers, p, struct passenger, link) {
        if (flight_is_failure(f) && passenger_serve_stale(p, r->status, FAILURE_NONE, SENT_YES))
            continue;
        if (led)
            flight_follow(p);
        else
            lead(p, r);
        led = true;
    }
    if (f->passengers.count == 0 && f->magic)
        flight_land(f);
}

/* It is too large to be kept: who has begun goes on, and the first one in any case; the
 * rest ask for themselves. */
static void outgrow(struct flight *f)
{
    struct passenger *first = first_aboard(f);
    f->keeping = f->stores = false;
    unshared_note(&f->all->unshared, f->place, false, now_of(f));
    flight_close_doors(f);
    LIST_FOR (&f->passengers, p, struct passenger, link) {
        if (p == first || p->reader.told)
            continue;
        reader_put_back(&p->reader);
        passenger_fly_alone(p);
    }
    deadline_stop(&first->deadline);
    if (!first->reader.told)
        reader_begin_kept(&first->reader);
    if (f->magic)
        reader_read(&first->reader);
}

/* What all aboard were told was kept for nobody else. A little is not worth moving the
 * rest for. */
static void forget_told(struct flight *f)
{
    struct text *body = &f->answer->body;
    size_t told = body->len;
    LIST_FOR (&f->passengers, p, struct passenger, link)
        if (p->reader.at < told)
            told = p->reader.at;
    if (told < body->len && told < AHEAD_MAX)
        return;
    LIST_FOR (&f->passengers, p, struct passenger, link)
        p->reader.at -= told;
    if (told < body->len)
        text_drop(body, told);
    else
        text_free(body);
}

static size_t behind(const struct flight *f, const struct passenger *p)
{
    return f->answer->body.len - p->reader.at;
}

/* Followers pace nobody, and memory is bounded: who is so far behind has lost. */
static void cut_off_slow_followers(struct flight *f)
{
    size_t kept = f->order.settings->cache_max_object, most = AHEAD_MAX + 2 * kept;
    LIST_FOR (&f->passengers, p, struct passenger, link) {
        if (p == first_aboard(f) || behind(f, p) <= most)
            continue;
        struct verdict why = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_YES,
                                          "it reads far slower than others that share the answer");
        passenger_fail(p, &why);
    }
}

void flight_go_on(struct flight *f)
{
    if (f->passengers.count == 0) {
        flight_land(f);
    } else if (f->held_up && behind(f, first_aboard(f)) == 0) {
        f->held_up = false;
        exchange_resume(f->fetch);
    }
}

static void pass_by(struct flight *f, const char *data, size_t len)
{
    struct passenger *p = first_aboard(f);
    if (f->passengers.count == 1 && reader_has_all(&p->reader) && !p->reader.paused) {
        forget_told(f);
        reader_pass(&p->reader, data, len);
        return;
    }
    text_add(&f->answer->body, (struct span){data, len});
    LIST_FOR (&f->passengers, each, struct passenger, link)
        reader_read(&each->reader);
    if (f->magic == 0)
        return;
    forget_told(f);
    cut_off_slow_followers(f);
    if (behind(f, first_aboard(f)) > AHEAD_MAX && !f->held_up) {
        f->held_up = true;
        exchange_pause(f->fetch);
    }
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct flight *f = owner;
    MAGIC_CHECK(f, MAGIC);
    if (f->keeping && f->answer->body.len + len > f->order.settings->cache_max_object)
        outgrow(f);
    if (f->magic == 0)
        return;
    if (!f->keeping) {
        pass_by(f, data, len);
        return;
    }
    text_add(&f->answer->body, (struct span){data, len});
    LIST_FOR (&f->passengers, p, struct passenger, link)
        reader_read(&p->reader);
}

static void on_end(void *owner, const struct fields *trailers)
{
    struct flight *f = owner;
    struct link *k;
    MAGIC_CHECK(f, MAGIC);
    f->fetch = NULL;
    flight_close_doors(f);
    f->answer->whole = true;
    text_fit(&f->answer->body);
    f->answer->trailers = fields_copy(f->answer->arena, trailers);
    if (f->stores && !f->outdated)
        cache_put(f->all->cache, f->place, f->answer, &f->asked);
    while ((k = list_first(&f->passengers))) {
        struct passenger *p = passenger_of(k);
        passenger_get_off(p);
        if (!p->reader.told)
            reader_begin_kept(&p->reader);
        reader_read(&p->reader);
    }
    flight_land(f);
}

/* The deadline, or the place at the gate, of the one who began it is not everybody's. */
static bool may_fly_on(const struct passenger *p, const struct verdict *why)
{
    const struct flight *f = p->flight;
    bool refused = verdict_status(why) == 429 || why->error == FAILURE_DESTINATION_UNAVAILABLE;
    bool late = verdict_status(why) == 429 || loop_now(f->all->loop) >= f->bound_ms;
    return why->sent == SENT_NO &&
           ((late && p->until_ms > f->bound_ms) || (f->order.yields && refused));
}

static void on_failed(void *owner, const struct verdict *v)
{
    struct flight *f = owner;
    struct verdict why = *v;
    uint64_t until_ms = 0;
    MAGIC_CHECK(f, MAGIC);
    f->fetch = NULL;
    flight_close_doors(f);
    LIST_FOR (&f->passengers, p, struct passenger, link) {
        if (p->reader.told ||
            (passenger_may_hide(p, &why) && passenger_serve_stale(p, 0, why.error, why.sent)) ||
            !may_fly_on(p, &why)) {
            if (p->flight)
                passenger_fail(p, &why);
        } else if (p->until_ms > until_ms) {
            until_ms = p->until_ms;
        }
    }
    if (f->passengers.count == 0) {
        flight_land(f);
        return;
    }
    f->order.yields = false;
    open_doors(f);
    fly(f, until_ms);
}
