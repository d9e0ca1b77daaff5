#include "protocol/h1_exchange.h"

#include <llhttp.h>

#include "base/rare.h"
#include "base/spares.h"
#include "base/state.h"
#include "http/framing.h"
#include "http/h1_write.h"
#include "http/head.h"
#include "protocol/keep_alive.h"

#define MAGIC 0x68317831
#define INTERIM_MAX 16
#define NO_BODY 1 /* for llhttp: whatever the head says, the next message follows it */

/* WRITTEN: its owner has written all of it, and it is in the stream. CUT: it left its
 * connection before that. */
#define H1_REQUEST_STATES(S)                                                                       \
    S(H1_REQUEST_OPEN, "open", TO(H1_REQUEST_WRITTEN) | TO(H1_REQUEST_CUT))                        \
    S(H1_REQUEST_WRITTEN, "written", 0)                                                            \
    S(H1_REQUEST_CUT, "cut", 0)
STATE_TYPE(h1_request, H1_REQUEST_STATES)

/* AWAITED: not a byte of it has come. BEGUN: bytes, perhaps interim responses, have. BODY: its
 * head was handed up. SWITCHED: it is a 101, as asked for. COMPLETE: its connection is about
 * to settle it. UNWANTED: likewise, but its owner has cancelled meanwhile. ENDED: its owner
 * was told, or has cancelled. */
#define H1_RESPONSE_STATES(S)                                                                      \
    S(H1_RESPONSE_AWAITED, "awaited", TO(H1_RESPONSE_BEGUN) | TO(H1_RESPONSE_ENDED))               \
    S(H1_RESPONSE_BEGUN, "begun",                                                                  \
      TO(H1_RESPONSE_BODY) | TO(H1_RESPONSE_SWITCHED) | TO(H1_RESPONSE_ENDED))                     \
    S(H1_RESPONSE_BODY, "body", TO(H1_RESPONSE_COMPLETE) | TO(H1_RESPONSE_ENDED))                  \
    S(H1_RESPONSE_SWITCHED, "switched", TO(H1_RESPONSE_ENDED))                                     \
    S(H1_RESPONSE_COMPLETE, "complete", TO(H1_RESPONSE_UNWANTED) | TO(H1_RESPONSE_ENDED))          \
    S(H1_RESPONSE_UNWANTED, "unwanted", TO(H1_RESPONSE_ENDED))                                     \
    S(H1_RESPONSE_ENDED, "ended", 0)
STATE_TYPE(h1_response, H1_RESPONSE_STATES)

struct h1_exchange {
    struct exchange base;
    unsigned magic;
    enum h1_request_state request;
    enum h1_response_state response;
    struct loop *loop;
    struct stream *stream; /* NULL: it has left its connection */
    const struct h1_exchange_events *conn_events;
    struct conn *conn;
    const char *log_object; /* of its connection, like `log_id` */
    uint64_t log_id;
    const struct request_id *request_id;

    enum framing framing; /* of the request */
    bool to_head;         /* the request is a HEAD */
    bool upgrades;        /* it asks for a 101 */
    uint64_t taken_before;
    enum sent sent; /* once it has left its connection */

    llhttp_t parser;
    struct arena *arena;
    struct head head; /* the head under way, later the trailers */
    size_t header_limit;
    struct response parsed; /* the last head that was complete */
    unsigned interim;
    uint64_t rest_ms;   /* see keep_alive.h */
    struct span ahead;  /* what came behind a 101 */
    struct verdict bad; /* why the response is not acceptable */
    struct task free_later;
};

static struct spares spares;

static struct h1_exchange *self(struct exchange *x)
{
    struct h1_exchange *h = container_of(x, struct h1_exchange, base);
    MAGIC_CHECK(h, MAGIC);
    return h;
}

static void free_now(struct task *t)
{
    struct h1_exchange *h = container_of(t, struct h1_exchange, free_later);
    arena_free(h->arena);
    h->magic = 0;
    spares_give(&spares, h);
}

static void enter_request(struct h1_exchange *h, enum h1_request_state to)
{
    STATE_ENTER_FOR(h1_request, &h->request, to, h->log_object, h->log_id, h->request_id);
}

/* It ends when both its sides have. */
static void enter_response(struct h1_exchange *h, enum h1_response_state to)
{
    STATE_ENTER_FOR(h1_response, &h->response, to, h->log_object, h->log_id, h->request_id);
    if (to != H1_RESPONSE_ENDED)
        return;
    CHECK(h->request != H1_REQUEST_OPEN);
    loop_defer(h->loop, &h->free_later);
}

bool h1_exchange_is_over(const struct h1_exchange *h)
{
    return h->response >= H1_RESPONSE_UNWANTED;
}

/* ------------------------------------------------------------------ parsing */

static struct h1_exchange *of(llhttp_t *parser)
{
    struct h1_exchange *h = parser->data;
    MAGIC_CHECK(h, MAGIC);
    return h;
}

/* Stops parsing at once if the owner has cancelled; else llhttp is told `next`. */
static int unless_over(const struct h1_exchange *h, int next)
{
    return h1_exchange_is_over(h) ? HPE_USER : next;
}

/* Kept out of on_text(), which is called for every piece of a head. */
__attribute__((cold, noinline)) static int refuse(struct h1_exchange *h, enum failure why,
                                                  const char *detail)
{
    h->bad = verdict_make(why, SENT_YES, "%s", detail);
    return HPE_USER;
}

static int on_message_begin(llhttp_t *parser)
{
    struct h1_exchange *h = of(parser);
    head_start(&h->head, h->arena, h->header_limit);
    return HPE_OK;
}

static int on_text(llhttp_t *parser, const char *at, size_t len)
{
    struct h1_exchange *h = of(parser);
    if (head_add(&h->head, at, len))
        return HPE_OK;
    return refuse(h, FAILURE_HTTP_RESPONSE_HEADER_SECTION_SIZE,
                  "the response head is larger than max_header_size");
}

static int on_cut(llhttp_t *parser)
{
    head_cut(&of(parser)->head);
    return HPE_OK;
}

static int take_interim(struct h1_exchange *h)
{
    rare_note(RARE_H1_INTERIM);
    if (++h->interim > INTERIM_MAX)
        return refuse(h, FAILURE_HTTP_PROTOCOL_ERROR, "more than 16 interim responses");
    h->base.events->on_interim(h->base.owner, &h->parsed);
    return unless_over(h, NO_BODY);
}

static int take_switch(struct h1_exchange *h)
{
    if (!framing_of_switch(&h->parsed, &h->bad))
        return HPE_USER;
    enter_response(h, H1_RESPONSE_SWITCHED);
    return HPE_OK; /* llhttp stops behind it */
}

static int take_final(struct h1_exchange *h)
{
    enter_response(h, H1_RESPONSE_BODY);
    h->base.events->on_head(h->base.owner, &h->parsed);
    head_start(&h->head, h->arena, h->header_limit);
    return unless_over(h, h->parsed.framing == FRAMING_NONE ? NO_BODY : HPE_OK);
}

static int on_headers_complete(llhttp_t *parser)
{
    struct h1_exchange *h = of(parser);
    struct response *r = &h->parsed;
    *r = (struct response){.status = parser->status_code, .minor = parser->http_minor};
    r->reason = head_reason(&h->head, 0);
    r->fields = head_fields(&h->head, 1);
    if (parser->http_major != 1)
        return refuse(h, FAILURE_HTTP_PROTOCOL_ERROR, "the response is not HTTP/1.x");
    if (r->status == 101 && h->upgrades)
        return take_switch(h);
    h->rest_ms = keep_alive_rest_ms(&r->fields);
    if (!framing_of_response(r, h->to_head, &h->bad))
        return HPE_USER;
    parser->upgrade = 0; /* an Upgrade field in an ordinary response is only an offer */
    return r->status < 200 ? take_interim(h) : take_final(h);
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct h1_exchange *h = of(parser);
    h->base.events->on_body(h->base.owner, at, len);
    return unless_over(h, HPE_OK);
}

static int on_message_complete(llhttp_t *parser)
{
    struct h1_exchange *h = of(parser);
    if (h->response != H1_RESPONSE_BODY)
        return HPE_OK; /* an interim response, or a 101 */
    if (h->request == H1_REQUEST_OPEN)
        rare_note(RARE_H1_EARLY_ANSWER);
    enter_response(h, H1_RESPONSE_COMPLETE);
    h->conn_events->on_complete(h->conn);
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_status = on_text,
    .on_status_complete = on_cut,
    .on_header_field = on_text,
    .on_header_field_complete = on_cut,
    .on_header_value = on_text,
    .on_header_value_complete = on_cut,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static const char *words_of_parser(const llhttp_t *parser, llhttp_errno_t error)
{
    const char *reason = llhttp_get_error_reason(parser);
    return reason && *reason ? reason : llhttp_errno_name(error);
}

static void explain(const struct h1_exchange *h, llhttp_errno_t error, enum failure *why,
                    const char **detail)
{
    bool is_ours = h->bad.error != FAILURE_NONE;
    *why = is_ours ? h->bad.error : FAILURE_HTTP_PROTOCOL_ERROR;
    *detail = is_ours && *h->bad.detail ? h->bad.detail : words_of_parser(&h->parser, error);
}

enum h1_feed h1_exchange_feed(struct h1_exchange *h, const char *data, size_t len,
                              enum failure *why, const char **detail)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->response >= H1_RESPONSE_COMPLETE)
        return H1_FEED_STRAY;
    if (h->response == H1_RESPONSE_AWAITED)
        enter_response(h, H1_RESPONSE_BEGUN);
    llhttp_errno_t error = llhttp_execute(&h->parser, data, len);
    if (h1_exchange_is_over(h) || error == HPE_OK)
        return H1_FEED_OK;
    const char *end = llhttp_get_error_pos(&h->parser);
    if (error == HPE_PAUSED_UPGRADE && h->response == H1_RESPONSE_SWITCHED) {
        h->ahead = span_from((struct span){data, len}, (size_t)(end - data));
        return H1_FEED_SWITCHED;
    }
    if (error == HPE_PAUSED && h->response == H1_RESPONSE_COMPLETE)
        return end < data + len ? H1_FEED_STRAY : H1_FEED_OK;
    explain(h, error, why, detail);
    return H1_FEED_BAD;
}

/* Only a body that is delimited by the close may end with it; over TLS the close must be
 * authentic (RFC 9112 9.8). */
bool h1_exchange_eof(struct h1_exchange *h, bool orderly, bool reset, enum failure *why,
                     const char **detail)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->response >= H1_RESPONSE_COMPLETE)
        return true;
    if (h->response == H1_RESPONSE_BODY && h->parsed.framing == FRAMING_CLOSE && orderly) {
        rare_note(RARE_H1_CLOSE_DELIMITED);
        llhttp_finish(&h->parser);
        if (h->response == H1_RESPONSE_COMPLETE)
            return true;
    }
    if (reset || h->response == H1_RESPONSE_AWAITED) {
        *why = FAILURE_CONNECTION_TERMINATED;
        *detail = "the origin closed the connection before a response";
    } else {
        *why = FAILURE_HTTP_RESPONSE_INCOMPLETE;
        *detail = "the origin closed the connection within its response";
    }
    return false;
}

/* ------------------------------------------------------------------ sending */

static enum sent sent_now(const struct exchange *x)
{
    const struct h1_exchange *h = container_of(x, const struct h1_exchange, base);
    if (h->stream == NULL)
        return h->sent;
    if (stream_taken(h->stream) == h->taken_before)
        return SENT_NO;
    return h->request == H1_REQUEST_WRITTEN && stream_queued(h->stream) == 0 ? SENT_YES
                                                                             : SENT_PARTIAL;
}

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct h1_exchange *h = self(x);
    if (h->request != H1_REQUEST_OPEN || len == 0)
        return true;
    if (h->framing != FRAMING_CHUNKED)
        return h->conn_events->write(h->conn, data, len);
    struct text size = {0};
    h1_write_chunk_start(&size, len);
    h->conn_events->gather(h->conn, text_span(&size));
    bool more = h->conn_events->write(h->conn, data, len);
    text_clear(&size);
    h1_write_chunk_end(&size);
    h->conn_events->gather(h->conn, text_span(&size));
    text_free(&size);
    return more;
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct h1_exchange *h = self(x);
    if (h->request != H1_REQUEST_OPEN)
        return;
    if (h->framing == FRAMING_CHUNKED) {
        struct text last = {0};
        h1_write_last_chunk(&last, trailers);
        h->conn_events->gather(h->conn, text_span(&last));
        text_free(&last);
    }
    enter_request(h, H1_REQUEST_WRITTEN);
    h->conn_events->flush(h->conn);
}

static void pause_reading(struct exchange *x)
{
    struct h1_exchange *h = self(x);
    if (h->stream && h->response < H1_RESPONSE_COMPLETE)
        stream_pause(h->stream);
}

static void resume_reading(struct exchange *x)
{
    struct h1_exchange *h = self(x);
    if (h->stream)
        stream_resume(h->stream);
}

/* A complete response on its connection is settled by that, soon. */
static void cancel(struct exchange *x)
{
    struct h1_exchange *h = self(x);
    CHECK(!h1_exchange_is_over(h));
    if (h->response == H1_RESPONSE_COMPLETE && h->stream) {
        enter_response(h, H1_RESPONSE_UNWANTED);
        return;
    }
    if (h->stream)
        h->conn_events->on_cancelled(h->conn);
    enter_response(h, H1_RESPONSE_ENDED);
}

void h1_exchange_switch(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    h->base.events->on_head(h->base.owner, &h->parsed);
    CHECK(h->response == H1_RESPONSE_ENDED);
}

struct span h1_exchange_surrender(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    CHECK(h->response == H1_RESPONSE_SWITCHED);
    h1_exchange_detach(h);
    enter_response(h, H1_RESPONSE_ENDED);
    return h->ahead;
}

void h1_exchange_drained(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->request == H1_REQUEST_OPEN && !h1_exchange_is_over(h))
        h->base.events->on_drain(h->base.owner);
}

/* ------------------------------------------------------------------ its life */

uint64_t h1_exchange_rest_ms(const struct h1_exchange *h)
{
    return h->rest_ms;
}

bool h1_exchange_keeps_alive(const struct h1_exchange *h)
{
    bool is_misdirected = h->parsed.status == 421; /* RFC 9110 15.5.20 */
    return h->parsed.keeps_alive && !is_misdirected && h->request == H1_REQUEST_WRITTEN &&
           stream_queued(h->stream) == 0;
}

enum sent h1_exchange_detach(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    h->sent = sent_now(&h->base);
    h->stream = NULL;
    if (h->request == H1_REQUEST_OPEN)
        enter_request(h, H1_REQUEST_CUT);
    return h->sent;
}

/* Its owner may have cancelled it since it left its connection. */
void h1_exchange_end(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->response == H1_RESPONSE_ENDED)
        return;
    struct fields trailers = head_fields(&h->head, 0);
    bool is_wanted = h->response != H1_RESPONSE_UNWANTED;
    enter_response(h, H1_RESPONSE_ENDED);
    if (is_wanted)
        h->base.events->on_end(h->base.owner, &trailers);
}

void h1_exchange_fail(struct h1_exchange *h, enum failure why, enum sent sent, const char *detail)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->response == H1_RESPONSE_ENDED)
        return;
    struct verdict v = verdict_make(why, sent, "%s", detail);
    v.answered = h->response != H1_RESPONSE_AWAITED;
    enter_response(h, H1_RESPONSE_ENDED);
    h->base.events->on_failed(h->base.owner, &v);
}

struct exchange *h1_exchange_base(struct h1_exchange *h)
{
    return &h->base;
}

struct h1_exchange *h1_exchange_new(struct loop *l, struct stream *s,
                                    const struct h1_exchange_events *events, struct conn *conn,
                                    const struct conn_request *r)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent_now};
    struct h1_exchange *h = SPARES_NEW(&spares, struct h1_exchange);
    h->magic = MAGIC;
    h->base.ops = &ops;
    h->loop = l;
    h->stream = s;
    h->conn_events = events;
    h->conn = conn;
    h->log_object = conn->log_object;
    h->log_id = conn->log_id;
    h->request_id = r->id;
    h->framing = r->framing;
    h->to_head = r->is_head;
    h->upgrades = r->upgrades;
    h->header_limit = r->header_limit;
    h->taken_before = stream_taken(s);
    h->arena = arena_new();
    task_init(&h->free_later, free_now);
    llhttp_init(&h->parser, HTTP_RESPONSE, &settings);
    h->parser.data = h;
    /* In an interim response these are ignored. In a final one framing.c refuses both
     * framings at once, and nothing behind it is parsed. */
    llhttp_set_lenient_keep_alive(&h->parser, 1);
    llhttp_set_lenient_chunked_length(&h->parser, 1);
    return h;
}
