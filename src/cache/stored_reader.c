#include "cache/stored_reader.h"

#define PIECE (64 * 1024)

static struct stored_reader *self(struct exchange *x)
{
    return container_of(x, struct stored_reader, base);
}

static void enter(struct stored_reader *r, enum stored_reader_state to)
{
    STATE_ENTER_FOR(stored_reader, &r->state, to, r->order.upstream, 0, r->order.id);
}

static uint64_t now_of(const struct stored_reader *r)
{
    return loop_age_clock(r->order.loop);
}

/* ------------------------------------------------------------------- the store */

static void record(struct stored_reader *r, enum cache_result result, enum sent sent)
{
    struct cache_status *status = r->order.status;
    uint64_t fresh = r->order.policy.fresh_ms, age = stored_response_age_ms(r->from, now_of(r));
    status->result = result;
    status->sent = sent;
    status->age_ms = stored_response_told_age_ms(r->from, now_of(r));
    status->ttl_ms = fresh > age ? fresh - age : 0;
}

static struct stored_response *look_up(const struct stored_reader *r)
{
    const struct cache_policy *policy = &r->order.policy;
    return policy->bypasses ? NULL : cache_find(r->order.cache, r->order.place, policy->fields);
}

static bool may_serve_stale(const struct stored_reader *r, const struct stored_response *s)
{
    uint64_t most = r->order.policy.stale_ms;
    return s && most && stored_response_age_ms(s, now_of(r)) <= most;
}

bool stored_reader_find(struct stored_reader *r)
{
    struct stored_response *found = look_up(r);
    if (found && stored_response_age_ms(found, now_of(r)) < r->order.policy.fresh_ms) {
        stored_reader_choose(r, found, true);
        record(r, CACHE_HIT, SENT_NO);
        return true;
    }
    if (may_serve_stale(r, found))
        r->last_good = stored_response_ref(found);
    return false;
}

/* The store is asked again: another request may have brought a newer one meanwhile. */
bool stored_reader_serve_stale(struct stored_reader *r, unsigned instead_of, enum failure why,
                               enum sent sent)
{
    struct stored_response *old = look_up(r);
    if (old == NULL)
        old = r->last_good;
    if (!may_serve_stale(r, old))
        return false;
    if (r->from)
        stored_reader_put_back(r);
    stored_reader_choose(r, old, true);
    record(r, CACHE_STALE, sent);
    r->order.status->forward_status = instead_of;
    r->order.status->failure = why;
    return true;
}

void stored_reader_choose(struct stored_reader *r, struct stored_response *from, bool soon)
{
    enter(r, STORED_READER_READY);
    r->from = stored_response_ref(from);
    if (soon)
        loop_defer(r->order.loop, &r->next);
}

void stored_reader_put_back(struct stored_reader *r)
{
    enter(r, STORED_READER_WAITING);
    task_forget(&r->next);
    stored_response_unref(r->from);
    r->from = NULL;
}

/* --------------------------------------------------------------------- reading */

static void end(struct stored_reader *r)
{
    enter(r, STORED_READER_OVER);
    task_forget(&r->next); /* it may not have begun yet */
    r->events->on_over(r);
}

static void end_response(struct stored_reader *r)
{
    static const struct fields none;
    end(r);
    r->base.events->on_end(r->base.owner, r->chunked ? &r->from->trailers : &none);
}

static bool has_all(const struct stored_reader *r)
{
    return r->no_body || r->at >= stored_response_length(r->from);
}

bool stored_reader_takes_more(const struct stored_reader *r)
{
    return r->state == STORED_READER_READING && !r->paused;
}

/* The client may pause or cancel it in each event. */
void stored_reader_read(struct stored_reader *r)
{
    while (stored_reader_takes_more(r) && !has_all(r)) {
        struct span piece = span_first(stored_response_rest(r->from, r->at), PIECE);
        r->at += piece.len;
        r->base.events->on_body(r->base.owner, piece.at, piece.len);
    }
    if (r->state == STORED_READER_READING && r->from->whole && has_all(r))
        end_response(r);
}

void stored_reader_begin(struct stored_reader *r, const struct response *head)
{
    enter(r, STORED_READER_READING);
    r->chunked = head->framing == FRAMING_CHUNKED;
    r->no_body = head->framing == FRAMING_NONE;
    r->base.events->on_head(r->base.owner, head);
}

void stored_reader_begin_kept(struct stored_reader *r)
{
    struct response head =
        stored_response_head(r->from, &r->order.policy, loop_wall_s(r->order.loop), r->order.arena);
    if (r->order.status->result == CACHE_COLLAPSED)
        record(r, CACHE_COLLAPSED, SENT_YES);
    stored_reader_begin(r, &head);
}

void stored_reader_pass(struct stored_reader *r, const char *data, size_t len)
{
    CHECK(stored_reader_takes_more(r));
    r->at += len;
    CHECK(has_all(r));
    r->base.events->on_body(r->base.owner, data, len);
}

size_t stored_reader_position(const struct stored_reader *r)
{
    return r->no_body ? SIZE_MAX : r->at;
}

void stored_reader_interim(struct stored_reader *r, const struct response *head)
{
    r->base.events->on_interim(r->base.owner, head);
}

void stored_reader_fail(struct stored_reader *r, const struct verdict *why)
{
    struct verdict v = *why;
    end(r);
    r->base.events->on_failed(r->base.owner, &v);
}

void stored_reader_fail_soon(struct stored_reader *r, const struct verdict *why)
{
    r->failure = *why;
    loop_defer(r->order.loop, &r->next);
}

static void on_next(struct task *t)
{
    struct stored_reader *r = container_of(t, struct stored_reader, next);
    if (r->failure.error != FAILURE_NONE) {
        stored_reader_fail(r, &r->failure);
        return;
    }
    if (r->state == STORED_READER_READY)
        stored_reader_begin_kept(r);
    stored_reader_read(r);
    if (stored_reader_takes_more(r) && has_all(r))
        r->events->on_caught_up(r);
}

/* -------------------------------------------------------- called by the client's side */

static bool body(struct exchange *x, const char *data, size_t len)
{
    (void)x, (void)data, (void)len;
    return true; /* a request whose response may be shared has no body */
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    (void)x, (void)trailers;
}

static void pause_reading(struct exchange *x)
{
    self(x)->paused = true;
}

static void resume_reading(struct exchange *x)
{
    struct stored_reader *r = self(x);
    if (r->paused && r->state == STORED_READER_READING)
        loop_defer(r->order.loop, &r->next);
    r->paused = false;
}

static void cancel(struct exchange *x)
{
    end(self(x));
}

static enum sent sent(const struct exchange *x)
{
    const struct stored_reader *r = container_of(x, const struct stored_reader, base);
    return r->events->sent(r);
}

static uint64_t patience(const struct exchange *x)
{
    const struct stored_reader *r = container_of(x, const struct stored_reader, base);
    return r->events->patience(r);
}

static void progress(const struct exchange *x, struct progress *to)
{
    const struct stored_reader *r = container_of(x, const struct stored_reader, base);
    r->events->progress(r, to);
}

void stored_reader_init(struct stored_reader *r, const struct stored_reader_order *order,
                        const struct stored_reader_events *own,
                        const struct exchange_events *events, void *client)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent,
                                            .patience = patience,
                                            .progress = progress};
    *r = (struct stored_reader){.base = {&ops, events, client}, .events = own, .order = *order};
    task_init(&r->next, on_next);
}

void stored_reader_release(struct stored_reader *r)
{
    task_forget(&r->next);
    stored_response_unref(r->from);
    stored_response_unref(r->last_good);
    r->from = r->last_good = NULL;
}
