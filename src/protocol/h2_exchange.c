#include "protocol/h2_exchange.h"

#include "base/buf.h"
#include "http/framing.h"
#include "http/head.h"
#include "http/reply.h"
#include "protocol/h2_fields.h"

#define MAGIC 0x68327831
#define INTERIM_MAX 16
#define WIDEN_STEP (64 * 1024)
#define OUT_HIGH (256 * 1024) /* of a request's body, gathered for the origin's window */
#define OUT_LOW (64 * 1024)
#define NEVER UINT64_MAX

enum outcome_now { OPEN, ENDED, FAILED };

struct h2_exchange {
    struct exchange base;
    unsigned magic;
    struct link link, ending;
    struct loop *loop;
    nghttp2_session *session; /* NULL: off its line */
    struct stream *stream;
    const struct h2_exchange_events *line;
    void *owner; /* of `line` */
    int32_t id;

    struct buf out; /* of the request's body */
    nghttp2_nv *trailers;
    size_t trailer_count;
    bool finished, deferred, blocked; /* written whole; nghttp2 waits; the asker does */
    uint64_t begins_at, ended_at;     /* see stream_written() */
    enum sent sent;                   /* once off its line */
    uint64_t opened_at;               /* loop time, ms */

    struct arena *arena;
    struct head head; /* the head under way, later the trailers */
    size_t header_limit;
    unsigned status, interim;
    bool is_head, began, has_head;
    struct buf held; /* of the response's body, while the asker does not read */
    uint64_t left;   /* of a body whose length is known; else NEVER */
    bool paused, was_paused;
    size_t taken; /* of the body, until its window is widened */
    size_t owed;  /* taken, and not yet told to the origin */
    enum outcome_now outcome;
    struct verdict why;
    bool over;        /* ended, failed or cancelled: says nothing more */
    struct task tell; /* what is known, outside the call in which it became so */
    struct task free_later;
};

static struct h2_exchange *self(struct exchange *x)
{
    struct h2_exchange *h = container_of(x, struct h2_exchange, base);
    MAGIC_CHECK(h, MAGIC);
    return h;
}

static void free_now(struct task *t)
{
    struct h2_exchange *h = container_of(t, struct h2_exchange, free_later);
    arena_free(h->arena);
    buf_clear(&h->out);
    buf_clear(&h->held);
    h->magic = 0;
    free(h);
}

static void end(struct h2_exchange *h)
{
    h->over = true;
    task_forget(&h->tell);
    loop_defer(h->loop, &h->free_later);
}

/* ------------------------------------------------------------------ telling */

/* The asker has it: the origin may send so much more (RFC 9113 5.2.2). It is told in
 * small steps, or all it sends at once would hold up the line's other streams. */
static void widen(struct h2_exchange *h, size_t len)
{
    h->owed += len;
    if (h->owed < WIDEN_STEP)
        return;
    nghttp2_submit_window_update(h->session, NGHTTP2_FLAG_NONE, h->id, (int32_t)h->owed);
    h->owed = 0;
}

static void consume(struct h2_exchange *h, size_t len)
{
    if (h->session == NULL)
        return;
    widen(h, len);
    if (h->taken < H2_STREAM_WINDOW && !h->was_paused) {
        h->taken += len;
        if (h->taken >= H2_STREAM_WINDOW)
            nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, h->id,
                                                  H2_WIDE_WINDOW);
    }
    h->line->flush(h->owner);
}

static void hand_up(struct h2_exchange *h, const char *data, size_t len)
{
    h->base.events->on_body(h->base.owner, data, len);
    if (!h->over)
        consume(h, len);
}

static void hand_up_held(struct h2_exchange *h)
{
    const char *at;
    size_t len;
    if (h->left == 0 && h->outcome == OPEN) /* its end is yet to come */
        return;
    while (!h->over && !h->paused && (len = buf_front(&h->held, &at)) > 0) {
        hand_up(h, at, len);
        buf_consume(&h->held, len);
    }
}

static void tell_end(struct h2_exchange *h)
{
    struct fields trailers = h->head.cut_count ? head_fields(&h->head, 0) : (struct fields){0};
    end(h);
    h->base.events->on_end(h->base.owner, &trailers);
}

static void tell(struct task *t)
{
    struct h2_exchange *h = container_of(t, struct h2_exchange, tell);
    MAGIC_CHECK(h, MAGIC);
    if (h->outcome == FAILED) {
        end(h);
        h->base.events->on_failed(h->base.owner, &h->why);
        return;
    }
    if (h->blocked && h->out.size < OUT_LOW && !h->finished && h->session) {
        h->blocked = false;
        h->base.events->on_drain(h->base.owner);
    }
    hand_up_held(h);
    if (!h->over && h->outcome == ENDED && h->held.size == 0)
        tell_end(h);
}

/* ---------------------------------------------------------------- receiving */

void h2_exchange_head_begins(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    h->began = true;
    head_start(&h->head, h->arena, h->header_limit);
}

/* Its own doing: the stream is reset by the line, which hears of it. */
static void give_up(struct h2_exchange *h, enum failure why, const char *detail)
{
    h->line->reset(h->owner, h, NGHTTP2_PROTOCOL_ERROR);
    struct verdict v = verdict_make(why, h2_exchange_detach(h), "%s", detail);
    h2_exchange_fail(h, &v);
}

static void take_status(struct h2_exchange *h, struct span value)
{
    h->status = 0;
    for (size_t i = 0; i < value.len; i++) /* three digits: nghttp2 has seen to that */
        h->status = h->status * 10 + (unsigned)(value.at[i] - '0');
}

static bool add_piece(struct h2_exchange *h, struct span s)
{
    if (!head_add(&h->head, s.at, s.len))
        return false;
    head_cut(&h->head);
    return true;
}

void h2_exchange_too_large(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    give_up(h, FAILURE_HTTP_RESPONSE_HEADER_SECTION_SIZE,
            "the answer's head is larger than max_header_size");
}

void h2_exchange_field(struct h2_exchange *h, struct span name, struct span value)
{
    MAGIC_CHECK(h, MAGIC);
    if (name.len && name.at[0] == ':')
        take_status(h, value);
    else if (!add_piece(h, name) || !add_piece(h, value))
        h2_exchange_too_large(h);
}

static void take_interim(struct h2_exchange *h, const struct response *r)
{
    if (++h->interim > INTERIM_MAX)
        give_up(h, FAILURE_HTTP_PROTOCOL_ERROR, "more than 16 interim answers");
    else
        h->base.events->on_interim(h->base.owner, r);
}

/* Without a length the body ends with the stream: no bytes of framing are part
 * of it, and its end is as certain as a last chunk's. */
static void frame(struct response *r, bool is_last)
{
    r->keeps_alive = true;
    if (r->framing != FRAMING_CLOSE)
        return;
    r->framing = is_last ? FRAMING_LENGTH : FRAMING_CHUNKED;
    r->has_length = is_last;
}

void h2_exchange_head(struct h2_exchange *h, bool is_last)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->has_head) /* trailers */
        return;
    struct verdict bad;
    struct response r = {.status = h->status, .reason = reply_reason(h->status), .minor = 1};
    if (h->head.cut_count)
        r.fields = head_fields(&h->head, 0);
    if (!framing_of_response(&r, h->is_head, &bad)) {
        give_up(h, bad.error, bad.detail);
        return;
    }
    if (r.status < 200) {
        take_interim(h, &r);
        return;
    }
    if (r.status == 421)
        h->line->misdirected(h->owner);
    frame(&r, is_last);
    h->has_head = true;
    if (r.framing == FRAMING_LENGTH)
        h->left = r.length;
    h->base.events->on_head(h->base.owner, &r);
    if (!h->over)
        head_start(&h->head, h->arena, h->header_limit);
}

/* The last piece waits for the end, so that the line is free before anybody sees
 * the last byte. */
void h2_exchange_data(struct h2_exchange *h, const char *data, size_t len)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->left != NEVER)
        h->left -= len < h->left ? len : h->left;
    if (h->paused || h->held.size || h->left == 0)
        buf_append(&h->held, data, len);
    else
        hand_up(h, data, len);
}

/* ------------------------------------------------------------------ sending */

/* `gone`: bytes of the stream that can have left, or will. */
static enum sent sent_of(const struct h2_exchange *h, uint64_t gone)
{
    if (h->begins_at == NEVER || gone <= h->begins_at)
        return SENT_NO;
    bool whole =
        h->ended_at != NEVER && stream_written(h->stream) - stream_queued(h->stream) >= h->ended_at;
    return whole ? SENT_YES : SENT_PARTIAL;
}

/* What was written goes out, now or later, for the line goes on. What was not is still
 * with nghttp2, which drops a request's frames when its stream is reset. */
static enum sent sent_now(const struct exchange *x)
{
    const struct h2_exchange *h = container_of(x, const struct h2_exchange, base);
    return h->session ? sent_of(h, stream_written(h->stream)) : h->sent;
}

void h2_exchange_sends(struct h2_exchange *h, uint64_t begins)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->begins_at == NEVER)
        h->begins_at = begins;
}

void h2_exchange_sent_all(struct h2_exchange *h, uint64_t ended)
{
    MAGIC_CHECK(h, MAGIC);
    h->ended_at = ended;
}

static size_t take_out(struct h2_exchange *h, uint8_t *to, size_t size)
{
    const char *at;
    size_t got = 0, len;
    while (got < size && (len = buf_front(&h->out, &at)) > 0) {
        len = len < size - got ? len : size - got;
        memcpy(to + got, at, len);
        buf_consume(&h->out, len);
        got += len;
    }
    return got;
}

/* nghttp2 asks for the next DATA frame's bytes; inside its mem_send. */
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)source;
    (void)user;
    struct h2_exchange *h = h2_exchange_find(session, id);
    if (h == NULL)
        return NGHTTP2_ERR_DEFERRED; /* its reset is under way */
    size_t got = take_out(h, to, size);
    if (h->blocked && h->out.size < OUT_LOW)
        loop_defer(h->loop, &h->tell);
    bool is_last = h->finished && h->out.size == 0;
    if (got == 0 && !is_last) {
        h->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (!is_last)
        return (ssize_t)got;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (h->trailer_count && nghttp2_submit_trailer(session, id, h->trailers, h->trailer_count) == 0)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return (ssize_t)got;
}

static void go_on_sending(struct h2_exchange *h)
{
    if (h->deferred)
        nghttp2_session_resume_data(h->session, h->id);
    h->deferred = false;
    h->line->flush(h->owner);
}

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct h2_exchange *h = self(x);
    if (h->session == NULL || len == 0)
        return true;
    buf_append(&h->out, data, len);
    go_on_sending(h);
    h->blocked = h->out.size > OUT_HIGH;
    return !h->blocked;
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct h2_exchange *h = self(x);
    if (h->session == NULL || h->finished)
        return;
    h->finished = true;
    if (trailers && trailers->count)
        h->trailers = h2_trailer_fields(h->arena, trailers, &h->trailer_count);
    go_on_sending(h);
}

static void pause_reading(struct exchange *x)
{
    struct h2_exchange *h = self(x);
    h->paused = h->was_paused = true;
}

static void resume_reading(struct exchange *x)
{
    struct h2_exchange *h = self(x);
    h->paused = false;
    if (h->held.size)
        loop_defer(h->loop, &h->tell);
}

static void give_up_on(struct h2_exchange *h, bool late)
{
    CHECK(!h->over);
    if (h->session) {
        if (sent_now(&h->base) != SENT_NO) /* or it says nothing of the line */
            h->line->unanswered(h->owner, h->opened_at, late);
        h->line->reset(h->owner, h, NGHTTP2_CANCEL);
        h2_exchange_detach(h);
    }
    end(h);
}

static void cancel(struct exchange *x)
{
    give_up_on(self(x), false);
}

static void expire(struct exchange *x)
{
    give_up_on(self(x), true);
}

/* ------------------------------------------------------------------ its life */

bool h2_exchange_began(const struct h2_exchange *h)
{
    return h->began;
}

bool h2_exchange_has_head(const struct h2_exchange *h)
{
    return h->has_head;
}

static enum sent leave(struct h2_exchange *h, enum sent sent)
{
    h->sent = sent;
    nghttp2_session_set_stream_user_data(h->session, h->id, NULL);
    h->session = NULL;
    list_remove(&h->link);
    list_remove(&h->ending);
    return sent;
}

enum sent h2_exchange_detach(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    return leave(h, sent_now(&h->base));
}

enum sent h2_exchange_detach_lost(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    return leave(h, sent_of(h, stream_taken(h->stream)));
}

void h2_exchange_end(struct h2_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    h->outcome = ENDED;
    loop_defer(h->loop, &h->tell);
}

void h2_exchange_fail(struct h2_exchange *h, const struct verdict *why)
{
    MAGIC_CHECK(h, MAGIC);
    h->outcome = FAILED;
    h->sent = why->sent;
    h->why = *why;
    h->why.answered = h->began;
    buf_clear(&h->held);
    loop_defer(h->loop, &h->tell);
}

struct exchange *h2_exchange_base(struct h2_exchange *h)
{
    return &h->base;
}

struct link *h2_exchange_link(struct h2_exchange *h)
{
    return &h->link;
}

struct h2_exchange *h2_exchange_of(struct link *link)
{
    return LIST_ENTRY(link, struct h2_exchange, link);
}

struct link *h2_exchange_ending(struct h2_exchange *h)
{
    return &h->ending;
}

struct h2_exchange *h2_exchange_of_ending(struct link *link)
{
    return LIST_ENTRY(link, struct h2_exchange, ending);
}

int32_t h2_exchange_id(const struct h2_exchange *h)
{
    return h->id;
}

struct h2_exchange *h2_exchange_find(nghttp2_session *session, int32_t id)
{
    struct h2_exchange *h = nghttp2_session_get_stream_user_data(session, id);
    if (h)
        MAGIC_CHECK(h, MAGIC);
    return h;
}

/* A request without body ends with its head; nobody is asked for DATA then. */
static void submit(struct h2_exchange *h, const struct conn_request *r, bool secure)
{
    size_t count;
    nghttp2_nv *fields = h2_request_fields(h->arena, r, secure, &count);
    nghttp2_data_provider provider = {.read_callback = read_body};
    bool has_body = r->framing == FRAMING_CHUNKED || (r->framing == FRAMING_LENGTH && r->length);
    h->finished = !has_body;
    h->id = nghttp2_submit_request(h->session, NULL, fields, count, has_body ? &provider : NULL, h);
    CHECK(h->id > 0); /* out of memory, or no capacity */
}

struct h2_exchange *h2_exchange_new(struct loop *l, const struct h2_exchange_events *line,
                                    void *owner, nghttp2_session *session, struct stream *s,
                                    bool secure, const struct conn_request *r)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent_now,
                                            .expire = expire};
    struct h2_exchange *h = NEW(struct h2_exchange);
    h->magic = MAGIC;
    h->base.ops = &ops;
    h->loop = l;
    h->line = line;
    h->owner = owner;
    h->session = session;
    h->stream = s;
    h->begins_at = h->ended_at = h->left = NEVER;
    h->opened_at = loop_now(l);
    h->is_head = r->is_head;
    h->header_limit = r->header_limit;
    h->arena = arena_new();
    task_init(&h->tell, tell);
    task_init(&h->free_later, free_now);
    submit(h, r, secure);
    return h;
}
