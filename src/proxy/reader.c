#include "proxy/reader.h"

#define PIECE (64 * 1024)

static struct reader *self(struct exchange *x)
{
    return container_of(x, struct reader, base);
}

static uint64_t now_of(const struct reader *r)
{
    return loop_age_clock(r->order.loop);
}

/* ------------------------------------------------------------------- the store */

static void note(struct reader *r, enum cache_result result, enum sent sent)
{
    struct cache_status *n = r->order.note;
    uint64_t fresh = r->order.policy.fresh_ms, age = stored_response_age_ms(r->from, now_of(r));
    n->result = result;
    n->sent = sent;
    n->age_ms = stored_response_told_age_ms(r->from, now_of(r));
    n->ttl_ms = fresh > age ? fresh - age : 0;
}

static struct stored_response *look_up(const struct reader *r)
{
    const struct cache_policy *s = &r->order.policy;
    return s->bypasses ? NULL : cache_find(r->order.cache, r->order.place, s->fields);
}

static bool may_serve_stale(const struct reader *r, const struct stored_response *s)
{
    uint64_t most = r->order.policy.stale_ms;
    return s && most && stored_response_age_ms(s, now_of(r)) <= most;
}

bool reader_find(struct reader *r)
{
    struct stored_response *found = look_up(r);
    if (found && stored_response_age_ms(found, now_of(r)) < r->order.policy.fresh_ms) {
        reader_choose(r, found, true);
        note(r, CACHE_HIT, SENT_NO);
        return true;
    }
    if (may_serve_stale(r, found))
        r->last_good = stored_response_ref(found);
    return false;
}

/* Another request may have brought a newer one meanwhile. */
bool reader_serve_stale(struct reader *r, unsigned status, enum failure why, enum sent sent)
{
    struct stored_response *old = look_up(r);
    if (old == NULL)
        old = r->last_good;
    if (!may_serve_stale(r, old))
        return false;
    if (r->from)
        reader_put_back(r);
    reader_choose(r, old, true);
    note(r, CACHE_STALE, sent);
    r->order.note->forward_status = status;
    r->order.note->failure = why;
    return true;
}

/* --------------------------------------------------------------------- reading */

static void end(struct reader *r)
{
    CHECK(!r->over);
    r->over = true;
    task_forget(&r->next); /* it may not have begun yet */
    r->events->on_over(r);
}

static void end_response(struct reader *r)
{
    static const struct fields none;
    end(r);
    r->base.events->on_end(r->base.owner, r->chunked ? &r->from->trailers : &none);
}

void reader_choose(struct reader *r, struct stored_response *from, bool soon)
{
    CHECK(r->from == NULL);
    r->from = stored_response_ref(from);
    if (soon)
        loop_defer(r->order.loop, &r->next);
}

void reader_put_back(struct reader *r)
{
    CHECK(!r->told);
    task_forget(&r->next);
    stored_response_unref(r->from);
    r->from = NULL;
}

bool reader_has_all(const struct reader *r)
{
    return r->no_body || r->at >= r->from->body.len;
}

/* Each event may pause or cancel it. */
void reader_read(struct reader *r)
{
    while (r->told && !r->over && !r->paused && !reader_has_all(r)) {
        struct span piece = span_first(span_from(text_span(&r->from->body), r->at), PIECE);
        r->at += piece.len;
        r->base.events->on_body(r->base.owner, piece.at, piece.len);
    }
    if (r->told && !r->over && r->from->whole && reader_has_all(r))
        end_response(r);
}

void reader_begin(struct reader *r, const struct response *head)
{
    CHECK(r->from && !r->told && !r->over);
    r->told = true;
    r->chunked = head->framing == FRAMING_CHUNKED;
    r->no_body = head->framing == FRAMING_NONE;
    r->base.events->on_head(r->base.owner, head);
}

void reader_begin_kept(struct reader *r)
{
    struct response head = stored_response_head(r->from, &r->order.policy, r->order.arena);
    if (r->order.note->result == CACHE_COLLAPSED)
        note(r, CACHE_COLLAPSED, SENT_YES);
    reader_begin(r, &head);
}

void reader_pass(struct reader *r, const char *data, size_t len)
{
    CHECK(r->told && !r->paused && reader_has_all(r));
    r->base.events->on_body(r->base.owner, data, len);
}

void reader_interim(struct reader *r, const struct response *head)
{
    r->base.events->on_interim(r->base.owner, head);
}

void reader_fail(struct reader *r, const struct verdict *why)
{
    struct verdict v = *why;
    end(r);
    r->base.events->on_failed(r->base.owner, &v);
}

void reader_fail_soon(struct reader *r, const struct verdict *why)
{
    r->failure = *why;
    loop_defer(r->order.loop, &r->next);
}

static void on_next(struct task *t)
{
    struct reader *r = container_of(t, struct reader, next);
    if (r->failure.error != FAILURE_NONE) {
        reader_fail(r, &r->failure);
        return;
    }
    if (!r->told)
        reader_begin_kept(r);
    reader_read(r);
    if (!r->over && !r->paused && reader_has_all(r))
        r->events->on_drained(r);
}

/* --------------------------------------------------------- asked by the client side */

static bool body(struct exchange *x, const char *data, size_t len)
{
    (void)x, (void)data, (void)len;
    return true; /* what may be shared has no body */
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
    struct reader *r = self(x);
    if (r->paused && r->told)
        loop_defer(r->order.loop, &r->next);
    r->paused = false;
}

static void cancel(struct exchange *x)
{
    end(self(x));
}

static enum sent sent(const struct exchange *x)
{
    const struct reader *r = container_of(x, const struct reader, base);
    return r->events->sent(r);
}

static uint64_t patience(const struct exchange *x)
{
    const struct reader *r = container_of(x, const struct reader, base);
    return r->events->patience(r);
}

void reader_init(struct reader *r, const struct reader_order *order,
                 const struct reader_events *own, const struct exchange_events *events, void *owner)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent,
                                            .patience = patience};
    *r = (struct reader){.base = {&ops, events, owner}, .events = own, .order = *order};
    task_init(&r->next, on_next);
}

void reader_release(struct reader *r)
{
    task_forget(&r->next);
    stored_response_unref(r->from);
    stored_response_unref(r->last_good);
    r->from = r->last_good = NULL;
}
