#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/book.h"
#include "tests/sim/budget.h"
#include "tests/sim/exits.h"
#include "tests/sim/origin_conn.h"
#include "tests/sim/quotes.h"

enum deed {
    DEED_ANSWER,
    DEED_STATUS,
    DEED_MISDIRECTED,
    DEED_REFUSE, /* RST_STREAM, REFUSED_STREAM */
    DEED_RESET_STREAM,
    DEED_WANT_HTTP1, /* HTTP_1_1_REQUIRED */
    DEED_GO_BELOW,   /* GOAWAY that does not cover it */
    DEED_GO_ABOVE,   /* GOAWAY that covers it, which is then answered */
    DEED_CUT_BODY,   /* RST_STREAM within the body */
    DEED_STALL_BODY,
    DEED_STALL,
    DEED_RESET,
    DEED_CLOSE,
    DEED_VANISH,
    DEED_DEAF, /* reads nothing for a while, then answers */
    DEED_GARBAGE,
    DEEDS
};

static const char *const words[DEEDS] = {
    [DEED_ANSWER] = "answers",
    [DEED_STATUS] = "refuses",
    [DEED_MISDIRECTED] = "answers 421",
    [DEED_REFUSE] = "refuses the stream of",
    [DEED_RESET_STREAM] = "resets the stream of",
    [DEED_WANT_HTTP1] = "wants HTTP/1.1 for",
    [DEED_GO_BELOW] = "sends GOAWAY below",
    [DEED_GO_ABOVE] = "sends GOAWAY above",
    [DEED_CUT_BODY] = "cuts the body of",
    [DEED_STALL_BODY] = "stalls within the body of",
    [DEED_STALL] = "stalls",
    [DEED_RESET] = "resets the connection of",
    [DEED_CLOSE] = "closes the connection of",
    [DEED_VANISH] = "vanishes at",
    [DEED_DEAF] = "is deaf for a while after",
    [DEED_GARBAGE] = "sends garbage after",
};

struct h2 {
    nghttp2_session *session;
    struct origin_conn *conn;
    struct stream *streams; /* all that were ever open */
    struct stream *ended;   /* whose last bytes are being given to the session */
};

struct stream {
    struct stream *next;
    struct h2 *h2;
    int32_t id;
    struct dice dice;
    enum deed deed;
    bool at_head, is_done, is_closed;
    bool is_quote; /* see quotes.h */
    bool is_head;  /* its method is HEAD */
    unsigned reading, number;
    size_t size, given;
    size_t cut_at; /* SIZE_MAX: the body is whole */
    struct text body;
    char status[4];
};

static void send_all(struct h2 *h)
{
    const uint8_t *data;
    ssize_t n;
    while (!h->conn->over && (n = nghttp2_session_mem_send(h->session, &data)) > 0) {
        origin_write(h->conn, data, (size_t)n);
        if (h->ended)
            quote_sent(h->ended->reading, h->conn->end, origin_written(h->conn));
        h->ended = NULL;
    }
}

/* ------------------------------------------------------------------------------ answers */

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct stream *s = source->ptr;
    (void)session;
    (void)id;
    (void)user;
    size_t most = s->cut_at < s->size ? s->cut_at : s->size, n = most - s->given;
    n = n < size ? n : size;
    if (n == 0 && most < s->size)
        return NGHTTP2_ERR_DEFERRED;
    memcpy(to, s->body.at + s->given, n);
    s->given += n;
    if (s->given == s->size) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        s->h2->ended = s->is_quote ? s : NULL;
    }
    return (ssize_t)n;
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

static void submit(struct stream *s, const char *status)
{
    char number[16], length[24];
    snprintf(number, sizeof number, "%u", s->number);
    snprintf(length, sizeof length, "%zu", s->size);
    nghttp2_nv fields[4 + QUOTE_FIELDS] = {pair(":status", status), pair("x-try", number),
                                           pair("content-type", "text/plain"),
                                           pair("content-length", length)};
    nghttp2_data_provider body = {.source.ptr = s, .read_callback = give_body};
    struct quote_pair pairs[QUOTE_FIELDS];
    size_t count =
        s->is_quote ? quote_answer(s->reading, (unsigned)atoi(status), s->size, pairs) : 0;
    for (size_t i = 0; i < count; i++)
        fields[4 + i] = pair(pairs[i].name, pairs[i].value);
    text_clear(&s->body);
    if (s->is_quote)
        quote_body(s->reading, s->size, &s->body);
    else
        origin_body(s->number, s->size, &s->body);
    nghttp2_submit_response(s->h2->session, s->id, fields, 4 + count, s->is_head ? NULL : &body);
}

static void cut_now(void *owner)
{
    struct stream *s = owner;
    if (s->h2->conn->over)
        return;
    nghttp2_submit_rst_stream(s->h2->session, 0, s->id, NGHTTP2_INTERNAL_ERROR);
    send_all(s->h2);
}

static void answer(struct stream *s)
{
    static const char *const all[] = {"500", "503", "429", "408", "404", "400"};
    book_reply(s->reading);
    switch (s->deed) {
    case DEED_STATUS: submit(s, all[dice_draw(&s->dice, COUNT_OF(all))]); return;
    case DEED_MISDIRECTED:
        book_vouch(s->reading);
        submit(s, "421");
        return;
    case DEED_CUT_BODY:
    case DEED_STALL_BODY:
        s->cut_at = dice_draw(&s->dice, (uint32_t)s->size);
        submit(s, "200");
        if (s->deed == DEED_CUT_BODY)
            world_in(dice_draw(&s->dice, 20000), cut_now, s);
        return;
    case DEED_GARBAGE:
        submit(s, "200");
        send_all(s->h2);
        /* DATA of a stream that there is not: of one that is open it would be an answer. */
        origin_write(s->h2->conn, "\0\0\4\0\0\177\377\377\377what", 13);
        return;
    default: submit(s, "200");
    }
}

static void answer_later(void *owner)
{
    struct stream *s = owner;
    struct origin_conn *c = s->h2->conn;
    if (c->over || c->finishes || s->is_closed)
        return;
    world_say("%s: %s try %u", c->origin->name, words[s->deed], s->number);
    origin_touch(c);
    answer(s);
    send_all(s->h2);
}

static void close_after_goaway(void *owner)
{
    struct h2 *h = owner;
    origin_finish(h->conn);
}

/* Streams above the last id have not been acted on, and will not be. */
static void go_away(struct h2 *h, int32_t last)
{
    nghttp2_submit_goaway(h->session, 0, last, NGHTTP2_NO_ERROR, NULL, 0);
    for (struct stream *s = h->streams; s; s = s->next)
        if (s->id > last && !s->is_closed) {
            s->is_closed = s->is_done = true;
            book_vouch(s->reading);
        }
    send_all(h);
    if (dice_chance(&h->conn->dice, 60))
        world_in(dice_draw(&h->conn->dice, 300000), close_after_goaway, h);
}

static void hear_again(void *owner)
{
    struct stream *s = owner;
    if (s->h2->conn->over)
        return;
    end_hold_up(s->h2->conn->end, false);
    answer_later(s);
}

static void reset_stream(struct stream *s, uint32_t code)
{
    if (code == NGHTTP2_REFUSED_STREAM || code == NGHTTP2_HTTP_1_1_REQUIRED)
        book_vouch(s->reading);
    s->is_closed = true;
    nghttp2_submit_rst_stream(s->h2->session, 0, s->id, code);
    send_all(s->h2);
}

static void act(void *owner)
{
    struct stream *s = owner;
    struct h2 *h = s->h2;
    struct origin_conn *c = h->conn;
    if (c->over || s->is_closed)
        return;
    if (s->deed != DEED_ANSWER)
        world_say("%s: %s try %u", c->origin->name, words[s->deed], s->number);
    switch (s->deed) {
    case DEED_REFUSE: reset_stream(s, NGHTTP2_REFUSED_STREAM); return;
    case DEED_RESET_STREAM: reset_stream(s, NGHTTP2_INTERNAL_ERROR); return;
    case DEED_WANT_HTTP1: reset_stream(s, NGHTTP2_HTTP_1_1_REQUIRED); return;
    case DEED_GO_BELOW: go_away(h, s->id - 2 > 0 ? s->id - 2 : 0); return;
    case DEED_RESET: origin_break(c); return;
    case DEED_CLOSE: origin_finish(c); return;
    case DEED_VANISH: origin_vanish(c); return;
    case DEED_STALL: return;
    case DEED_DEAF:
        end_hold_up(c->end, true);
        world_in(dice_draw(&s->dice, 6000000), hear_again, s);
        return;
    case DEED_GO_ABOVE:
        go_away(h, s->id);
        origin_later(c, answer_later, s);
        return;
    default: origin_later(c, answer_later, s);
    }
}

/* Not from inside nghttp2, which is reading. */
static void act_soon(struct stream *s)
{
    s->is_done = true;
    world_in(0, act, s);
}

/* ----------------------------------------------------------------------------- requests */

static struct stream *find(struct h2 *h, int32_t id)
{
    struct stream *s = h->streams;
    while (s && s->id != id)
        s = s->next;
    return s;
}

static const uint32_t lost[] = {DEED_REFUSE, DEED_REFUSE, DEED_GO_BELOW, DEED_RESET, DEED_CLOSE};
static const struct deeds deeds = {DEEDS, lost, COUNT_OF(lost)};

static void draw_deed(struct stream *s)
{
    struct origin *o = s->h2->conn->origin;
    s->deed = DEED_ANSWER;
    if (dice_chance(&s->dice, o->trouble) && world_takes("an origin misbehaves"))
        s->deed = (enum deed)origin_draw_deed(o, &s->dice, &deeds);
    s->at_head = s->deed != DEED_ANSWER && dice_chance(&s->dice, 40);
    s->cut_at = SIZE_MAX;
    s->size =
        dice_chance(&s->dice, 80) ? 1 + dice_draw(&s->dice, 300) : 1 + dice_draw(&s->dice, 120000);
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS || find(h, frame->hd.stream_id))
        return 0;
    struct stream *s = NEW(struct stream);
    s->h2 = h;
    s->id = frame->hd.stream_id;
    s->next = h->streams;
    h->streams = s;
    return 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                    size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user)
{
    struct h2 *h = user;
    struct stream *s = find(h, frame->hd.stream_id);
    struct span is = {(const char *)name, name_len}, v = {(const char *)value, len};
    (void)session;
    (void)flags;
    if (s && span_is(is, SPAN(":path"))) {
        h->conn->origin->requests++;
        s->reading = book_reading(v);
        exits_carry(h->conn->end, h->conn->origin->name, book_order_of_reading(s->reading));
        s->is_quote = quote_begin(s->reading, v);
        s->dice = dice_of("request", s->reading * 8 + h->conn->origin->port % 8);
        draw_deed(s);
    } else if (s && span_is(is, SPAN(":method"))) {
        s->is_head = span_is(v, SPAN("HEAD"));
    } else if (s && s->is_quote) {
        quote_field(s->reading, is, v);
        s->number = quote_number(s->reading);
    } else if (s && span_is(is, SPAN("x-try"))) {
        s->number = (unsigned)strtoul(v.at, NULL, 10);
        book_reading_try(s->reading, s->number);
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    struct stream *s = find(h, frame->hd.stream_id);
    (void)session;
    if (s == NULL || h->conn->over)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        budget_carries(h->conn->origin->name, book_order_of_reading(s->reading), s->number);
    if (frame->hd.type == NGHTTP2_HEADERS && s->at_head && !s->is_done)
        act_soon(s);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM && !h->conn->over && !s->is_closed) {
        book_read_whole(s->reading);
        if (!s->is_done)
            act_soon(s);
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct stream *s = find(user, id);
    (void)session;
    (void)code;
    if (s)
        s->is_closed = true;
    return 0;
}

static void begin(struct origin_conn *c)
{
    struct h2 *h = NEW(struct h2);
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->origin->streams}};
    h->conn = c;
    c->state = h;
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    CHECK(nghttp2_session_server_new(&h->session, callbacks, h) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(h->session, 0, settings, COUNT_OF(settings));
    send_all(h);
}

static void bytes(struct origin_conn *c, const char *data, size_t len)
{
    struct h2 *h = c->state;
    if (nghttp2_session_mem_recv(h->session, (const uint8_t *)data, len) < 0) {
        origin_break(c);
        return;
    }
    send_all(h);
}

static void end_h2(struct origin_conn *c)
{
    (void)c;
}

const struct origin_protocol origin_h2 = {begin, bytes, end_h2};
