#include "protocol/h1_exchange.h"

#include <llhttp.h>

#include "http/framing.h"
#include "http/h1_write.h"
#include "http/head.h"
#include "protocol/keep_alive.h"

#define MAGIC 0x68317831
#define INTERIM_MAX 16
#define NO_BODY 1 /* llhttp: whatever the head says, the next message follows */

struct h1_exchange {
    struct exchange base;
    unsigned magic;
    struct loop *loop;
    struct stream *stream; /* NULL: off its line */
    const struct h1_exchange_events *line;
    void *owner; /* of `line` */

    enum framing framing; /* of the request */
    bool finished;        /* the request is written whole */
    uint64_t taken_before;
    enum sent sent; /* once off its line */

    llhttp_t parser;
    struct arena *arena;
    struct head head; /* the head under way, later the trailers */
    size_t header_limit;
    uint64_t rest_ms; /* see keep_alive.h */
    struct response response;
    unsigned interim;
    bool is_head, upgrades, began, has_head, complete, too_large;
    bool switched;     /* a 101 has come, as asked for */
    struct span ahead; /* what came behind it */
    bool over;         /* ended, failed or cancelled: says nothing more */
    struct verdict bad;
    struct task free_later;
};

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
    free(h);
}

static void end(struct h1_exchange *h)
{
    h->over = true;
    loop_defer(h->loop, &h->free_later);
}

/* ------------------------------------------------------------------ parsing */

static struct h1_exchange *of(llhttp_t *parser)
{
    struct h1_exchange *h = parser->data;
    MAGIC_CHECK(h, MAGIC);
    return h;
}

/* Gives up parsing at once when the asker is gone. */
static int go_on(const struct h1_exchange *h)
{
    return h->over ? HPE_USER : HPE_OK;
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
    h->too_large = true;
    return HPE_USER;
}

static int on_cut(llhttp_t *parser)
{
    head_cut(&of(parser)->head);
    return HPE_OK;
}

static int refuse(struct h1_exchange *h, const char *why)
{
    h->bad = verdict_make(FAILURE_HTTP_PROTOCOL_ERROR, SENT_YES, "%s", why);
    return HPE_USER;
}

static int take_interim(struct h1_exchange *h)
{
    if (++h->interim > INTERIM_MAX)
        return refuse(h, "more than 16 interim answers");
    h->base.events->on_interim(h->base.owner, &h->response);
    return h->over ? HPE_USER : NO_BODY;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct h1_exchange *h = of(parser);
    struct response *r = &h->response;
    *r = (struct response){.status = parser->status_code, .minor = parser->http_minor};
    r->reason = head_reason(&h->head, 0);
    r->fields = head_fields(&h->head, 1);
    if (parser->http_major != 1)
        return refuse(h, "the answer is not HTTP/1.x");
    if (r->status == 101 && h->upgrades) { /* llhttp stops behind it */
        h->switched = framing_of_switch(r, &h->bad);
        return h->switched ? HPE_OK : HPE_USER;
    }
    h->rest_ms = keep_alive_rest_ms(&r->fields);
    if (!framing_of_response(r, h->is_head, &h->bad))
        return HPE_USER;
    parser->upgrade = 0; /* an Upgrade field in an ordinary answer is only an offer */
    if (r->status < 200)
        return take_interim(h);
    h->has_head = true;
    h->base.events->on_head(h->base.owner, r);
    head_start(&h->head, h->arena, h->header_limit);
    if (h->over)
        return HPE_USER;
    return r->framing == FRAMING_NONE ? NO_BODY : HPE_OK;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct h1_exchange *h = of(parser);
    h->base.events->on_body(h->base.owner, at, len);
    return go_on(h);
}

static int on_message_complete(llhttp_t *parser)
{
    struct h1_exchange *h = of(parser);
    if (!h->has_head)
        return HPE_OK; /* an interim one, or a 101 */
    h->complete = true;
    h->line->complete(h->owner);
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

enum h1_feed h1_exchange_feed(struct h1_exchange *h, const char *data, size_t len,
                              const char **detail)
{
    MAGIC_CHECK(h, MAGIC);
    h->began = true;
    if (h->complete)
        return H1_FEED_STRAY;
    llhttp_errno_t error = llhttp_execute(&h->parser, data, len);
    if (h->over || error == HPE_OK)
        return H1_FEED_OK;
    if (error == HPE_PAUSED_UPGRADE && h->switched) {
        h->ahead =
            span_from((struct span){data, len}, (size_t)(llhttp_get_error_pos(&h->parser) - data));
        return H1_FEED_SWITCHED;
    }
    if (error == HPE_PAUSED && h->complete)
        return llhttp_get_error_pos(&h->parser) < data + len ? H1_FEED_STRAY : H1_FEED_OK;
    if (h->too_large) {
        *detail = "the answer's head is larger than max_header_size";
        return H1_FEED_TOO_LARGE;
    }
    *detail = h->bad.error != FAILURE_NONE ? h->bad.detail : llhttp_get_error_reason(&h->parser);
    if (*detail == NULL || **detail == '\0')
        *detail = llhttp_errno_name(error);
    return H1_FEED_BAD;
}

/* Only a body delimited by the close may end so; over TLS that close must be
 * vouched for (RFC 9112 9.8). */
bool h1_exchange_eof(struct h1_exchange *h, bool orderly, bool reset, enum failure *why,
                     const char **detail)
{
    MAGIC_CHECK(h, MAGIC);
    if (h->complete)
        return true;
    if (h->has_head && h->response.framing == FRAMING_CLOSE && orderly) {
        llhttp_finish(&h->parser);
        return h->complete;
    }
    if (reset || !h->began) {
        *why = FAILURE_CONNECTION_TERMINATED;
        *detail = "the origin closed the connection without an answer";
    } else {
        *why = FAILURE_HTTP_RESPONSE_INCOMPLETE;
        *detail = "the origin closed the connection within its answer";
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
    return h->finished && stream_queued(h->stream) == 0 ? SENT_YES : SENT_PARTIAL;
}

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct h1_exchange *h = self(x);
    if (h->stream == NULL || len == 0)
        return true;
    if (h->framing != FRAMING_CHUNKED)
        return h->line->write(h->owner, data, len);
    struct text size = {0};
    h1_write_chunk_start(&size, len);
    h->line->gather(h->owner, text_span(&size));
    bool more = h->line->write(h->owner, data, len);
    text_clear(&size);
    h1_write_chunk_end(&size);
    h->line->gather(h->owner, text_span(&size));
    text_free(&size);
    return more;
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct h1_exchange *h = self(x);
    if (h->stream == NULL)
        return;
    if (h->framing == FRAMING_CHUNKED) {
        struct text last = {0};
        h1_write_last_chunk(&last, trailers);
        h->line->gather(h->owner, text_span(&last));
        text_free(&last);
    }
    h->finished = true;
    h->line->flush(h->owner);
}

static void pause_reading(struct exchange *x)
{
    struct h1_exchange *h = self(x);
    if (h->stream && !h->complete)
        stream_pause(h->stream);
}

static void resume_reading(struct exchange *x)
{
    struct h1_exchange *h = self(x);
    if (h->stream)
        stream_resume(h->stream);
}

static void cancel(struct exchange *x)
{
    struct h1_exchange *h = self(x);
    CHECK(!h->over);
    if (h->stream)
        h->line->cancelled(h->owner, h->complete);
    h->over = true;
    if (h->stream == NULL) /* else its line still settles it */
        end(h);
}

struct span h1_exchange_leave(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    CHECK(h->switched && !h->over);
    h->sent = sent_now(&h->base);
    h->stream = NULL;
    end(h);
    return h->ahead;
}

void h1_exchange_switch(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    h->base.events->on_head(h->base.owner, &h->response);
    CHECK(h->over);
}

void h1_exchange_drained(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    if (!h->over && !h->finished)
        h->base.events->on_drain(h->base.owner);
}

/* ------------------------------------------------------------------ its life */

uint64_t h1_exchange_rest_ms(const struct h1_exchange *h)
{
    return h->rest_ms;
}

bool h1_exchange_keeps_alive(const struct h1_exchange *h)
{
    bool is_here = h->response.status != 421; /* RFC 9110 15.5.20: it leads elsewhere */
    return h->complete && h->response.keeps_alive && is_here && h->finished &&
           stream_queued(h->stream) == 0;
}

bool h1_exchange_is_over(const struct h1_exchange *h)
{
    return h->over;
}

enum sent h1_exchange_detach(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    h->sent = sent_now(&h->base);
    h->stream = NULL;
    return h->sent;
}

void h1_exchange_end(struct h1_exchange *h)
{
    MAGIC_CHECK(h, MAGIC);
    struct fields trailers = head_fields(&h->head, 0);
    bool told = h->over;
    end(h);
    if (!told)
        h->base.events->on_end(h->base.owner, &trailers);
}

void h1_exchange_fail(struct h1_exchange *h, enum failure why, enum sent sent, const char *detail)
{
    MAGIC_CHECK(h, MAGIC);
    struct verdict v = verdict_make(why, sent, "%s", detail);
    v.answered = h->began;
    bool told = h->over;
    end(h);
    if (!told)
        h->base.events->on_failed(h->base.owner, &v);
}

struct exchange *h1_exchange_base(struct h1_exchange *h)
{
    return &h->base;
}

struct h1_exchange *h1_exchange_new(struct loop *l, struct stream *s,
                                    const struct h1_exchange_events *line, void *owner,
                                    const struct conn_request *r)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent_now};
    struct h1_exchange *h = NEW(struct h1_exchange);
    h->magic = MAGIC;
    h->base.ops = &ops;
    h->loop = l;
    h->stream = s;
    h->line = line;
    h->owner = owner;
    h->framing = r->framing;
    h->is_head = r->is_head;
    h->upgrades = r->upgrades;
    h->header_limit = r->header_limit;
    h->taken_before = stream_taken(s);
    h->arena = arena_new();
    task_init(&h->free_later, free_now);
    llhttp_init(&h->parser, HTTP_RESPONSE, &settings);
    h->parser.data = h;
    /* Of an interim answer these are passed over; of the final one framing.c refuses
     * both framings at once, and nothing behind it is parsed. */
    llhttp_set_lenient_keep_alive(&h->parser, 1);
    llhttp_set_lenient_chunked_length(&h->parser, 1);
    return h;
}
