/* An HTTP/2 connection whose origin speaks in whole frames: the input is a script of steps, by a
 * grammar, so that few inputs end at a malformed frame. A step opens a request, sends or ends its
 * body, gives it up, pauses it, moves the clock, blocks or frees the stream, or is a frame of the
 * origin: SETTINGS, PING, a head, interim or final, trailers, DATA, RST_STREAM, GOAWAY,
 * WINDOW_UPDATE, PUSH_PROMISE, CONTINUATION, or any other. Each owner must get one end event; and
 * what is reported as sent must be no less than what of the request has left in the end, unless the
 * origin has said that it did not process it, and no more than what of it was given to the stream:
 * what has left, if the connection ended with its queue. */
#include <stdio.h>

#include "h2_setup.h"
#include "protocol/h2_proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OWNERS 6
#define STEPS_MOST 200
#define PREFACE 24 /* "PRI * HTTP/2.0..." */
#define FRAME_HEAD 9

enum frame_type {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum { REFUSED_STREAM = 7, HTTP_1_1_REQUIRED = 13 };

struct owner {
    struct recorder recorder;
    bool opened, finished, spared; /* spared: the origin said that it did not process it */
    bool gave_up;
    bool in_the_end; /* it was open when the connection ended */
    enum sent sent;  /* as told when it was given up */
};

struct run {
    const uint8_t *at, *end; /* the script that is left */
    struct h2_setup h2;
    struct owner owners[OWNERS];
    size_t opened;
    size_t piece; /* bytes of the origin's per record; 0: a frame at once */
};

static uint8_t next(struct run *r)
{
    return r->at < r->end ? *r->at++ : 0;
}

static uint32_t next_number(struct run *r)
{
    static const uint32_t edges[] = {0, 1, 100, 16384, 65535, 65536, 0x7fffffff, 0xffffffff};
    uint8_t b = next(r);
    return b < 64 ? edges[b % COUNT_OF(edges)] : b;
}

/* --------------------------------------------------------------- the client's side */

static struct owner *an_owner(struct run *r)
{
    struct owner *o = &r->owners[next(r) % OWNERS];
    return o->recorder.exchange ? o : NULL;
}

static enum recorder_event moment(unsigned bits)
{
    return bits <= RECORDER_DRAIN ? (enum recorder_event)bits : RECORDER_NONE;
}

static void ask(struct run *r)
{
    uint8_t how = next(r);
    bool posts = how & 1;
    if (r->h2.conn == NULL || r->opened == OWNERS || conn_capacity(r->h2.conn) == 0)
        return;
    struct owner *o = &r->owners[r->opened++];
    struct conn_request q = {.method = posts ? SPAN("POST") : SPAN("GET"),
                             .target = SPAN("/order"),
                             .authority = SPAN("h"),
                             .framing = posts ? FRAMING_CHUNKED : FRAMING_NONE,
                             .is_head = how & 2 && !posts,
                             .header_limit = 4096};
    recorder_init(&o->recorder, &r->h2.heard);
    o->opened = true;
    o->recorder.cancel_in = moment(how >> 2 & 7);
    o->recorder.pause_in = moment(how >> 5);
    o->recorder.exchange = conn_open(r->h2.conn, &q, &recorder_events, &o->recorder);
    if (!posts) {
        static const struct fields none;
        o->finished = true;
        exchange_finish(o->recorder.exchange, &none);
    }
}

static void send_body(struct run *r)
{
    static const char piece[16384];
    struct owner *o = an_owner(r);
    uint32_t len = next_number(r) % (sizeof piece + 1);
    if (o && !o->finished)
        (void)!exchange_body(o->recorder.exchange, piece, len);
}

static void finish_body(struct run *r)
{
    static const struct fields none;
    struct owner *o = an_owner(r);
    if (o == NULL || o->finished)
        return;
    o->finished = true;
    exchange_finish(o->recorder.exchange, &none);
}

static void give_up(struct owner *o, bool expires)
{
    struct exchange *x = o->recorder.exchange;
    o->recorder.exchange = NULL;
    o->gave_up = true;
    o->sent = exchange_sent(x);
    if (expires)
        exchange_expire(x);
    else
        exchange_cancel(x);
}

static void pause_or_resume(struct run *r)
{
    struct owner *o = an_owner(r);
    if (o && next(r) & 1)
        exchange_pause(o->recorder.exchange);
    else if (o)
        exchange_resume(o->recorder.exchange);
}

/* ------------------------------------------------------------------ the origin's side */

static void feed(struct run *r, struct span bytes)
{
    size_t piece = r->piece ? r->piece : bytes.len;
    while (bytes.len && !r->h2.stream.closed && !r->h2.stream.ended) {
        struct span now = span_first(bytes, piece < bytes.len ? piece : bytes.len);
        CHECK(fake_stream_feed(&r->h2.stream, now.at, now.len));
        if (r->piece)
            loop_turn(r->h2.loop, false);
        bytes = span_from(bytes, now.len);
    }
}

static void put_number(struct text *t, uint32_t n, size_t bytes)
{
    while (bytes-- > 0) {
        char c = (char)(n >> 8 * bytes);
        text_add(t, (struct span){&c, 1});
    }
}

static void say(struct run *r, uint8_t type, uint8_t flags, uint32_t id, struct span payload)
{
    struct text frame = {0};
    put_number(&frame, (uint32_t)payload.len, 3);
    put_number(&frame, type, 1);
    put_number(&frame, flags, 1);
    put_number(&frame, id, 4);
    text_add(&frame, payload);
    feed(r, text_span(&frame));
    text_free(&frame);
}

/* Mostly that of a request; also the connection's, one of the origin's own, and an idle one. */
static uint32_t stream_id(struct run *r)
{
    uint8_t b = next(r);
    if (b >= 240)
        return b & 3;
    return r->opened ? (uint32_t)(b % r->opened) * 2 + 1 : 1;
}

/* A literal without indexing (RFC 7541 6.2.2). */
static void put_field(struct text *t, struct span name, struct span value)
{
    put_number(t, 0, 1);
    put_number(t, (uint32_t)name.len, 1);
    text_add(t, name);
    put_number(t, (uint32_t)value.len, 1);
    text_add(t, value);
}

static void put_fields(struct run *r, struct text *t)
{
    static const struct field known[] = {
        {SPAN("content-length"), SPAN("0")},
        {SPAN("content-length"), SPAN("5")},
        {SPAN("content-length"), SPAN("5, 5")},
        {SPAN("transfer-encoding"), SPAN("chunked")},
        {SPAN("connection"), SPAN("close")},
        {SPAN("retry-after"), SPAN("7")},
        {SPAN("content-type"), SPAN("application/json")},
        {SPAN("Upper"), SPAN("case")},
        {SPAN("x"), SPAN("a\r\nb: c")},
        {SPAN("x"), SPAN("")},
        {SPAN(":path"), SPAN("/")},
        {SPAN(":status"), SPAN("200")},
        {SPAN(""), SPAN("v")},
        {SPAN("trailer"), SPAN("x-sum")},
    };
    for (unsigned n = next(r) & 3; n > 0; n--) {
        const struct field *f = &known[next(r) % COUNT_OF(known)];
        put_field(t, f->name, f->value);
    }
}

/* HEADERS in one frame, or with its second half in a CONTINUATION. */
static void say_block(struct run *r, uint32_t id, struct span block)
{
    uint8_t how = next(r), flags = how & 1 ? END_STREAM : 0;
    if (how & 2 && block.len) {
        say(r, HEADERS, flags, id, span_first(block, block.len / 2));
        say(r, how & 4 ? DATA : CONTINUATION, END_HEADERS, id, span_from(block, block.len / 2));
        return;
    }
    say(r, HEADERS, flags | END_HEADERS, id, block);
}

static void say_head(struct run *r, bool is_interim)
{
    static const char *const final[] = {"200", "201", "204", "304", "404", "421", "429", "503"};
    static const char *const interim[] = {"100", "102", "103", "199", "101", "099", "1000", "2x0"};
    uint32_t id = stream_id(r);
    uint8_t which = next(r) & 7;
    struct text block = {0};
    put_field(&block, SPAN(":status"), span_of(is_interim ? interim[which] : final[which]));
    put_fields(r, &block);
    say_block(r, id, text_span(&block));
    text_free(&block);
}

static void say_trailers(struct run *r)
{
    uint32_t id = stream_id(r);
    struct text block = {0};
    put_fields(r, &block);
    say_block(r, id, text_span(&block));
    text_free(&block);
}

static void say_data(struct run *r)
{
    static const char zeros[16384];
    uint32_t id = stream_id(r);
    uint8_t flags = next(r) & (END_STREAM | PADDED);
    say(r, DATA, flags, id, (struct span){zeros, next_number(r) % (sizeof zeros + 1)});
}

static void say_settings(struct run *r)
{
    struct text t = {0};
    for (unsigned n = next(r) & 3; n > 0; n--) {
        put_number(&t, next(r) & 15, 2);
        put_number(&t, next_number(r), 4);
    }
    say(r, SETTINGS, 0, 0, text_span(&t));
    text_free(&t);
}

static void say_number(struct run *r, uint8_t type, uint32_t id, uint32_t n)
{
    struct text t = {0};
    put_number(&t, n, 4);
    say(r, type, 0, id, text_span(&t));
    text_free(&t);
}

static void spare_from(struct run *r, uint32_t first)
{
    for (size_t i = first / 2; i < r->opened; i++)
        r->owners[i].spared = true;
}

static void say_reset(struct run *r)
{
    uint32_t id = stream_id(r), code = next(r) & 15;
    if ((code == REFUSED_STREAM || code == HTTP_1_1_REQUIRED) && id % 2 == 1 && id / 2 < r->opened)
        r->owners[id / 2].spared = true;
    say_number(r, RST_STREAM, id, code);
}

static void say_goaway(struct run *r)
{
    uint8_t which = next(r);
    uint32_t last = which >= 240 ? 0x7fffffff : which % (2 * OWNERS + 2), code = next(r) & 15;
    struct text t = {0};
    put_number(&t, last, 4);
    put_number(&t, code, 4);
    spare_from(r, last + 1);
    say(r, GOAWAY, 0, 0, text_span(&t));
    text_free(&t);
}

static void say_ping(struct run *r)
{
    say(r, PING, next(r) & ACK, 0, SPAN("12345678"));
}

/* Any frame, of what the script says next. */
static void say_any(struct run *r)
{
    uint8_t type = next(r) % 12, flags = next(r);
    uint32_t id = stream_id(r);
    size_t len = next(r) & 31;
    if (len > (size_t)(r->end - r->at))
        len = (size_t)(r->end - r->at);
    struct span payload = {(const char *)r->at, len};
    r->at += len;
    spare_from(r, type == GOAWAY || type == RST_STREAM ? 0 : UINT32_MAX);
    say(r, type, flags, id, payload);
}

/* --------------------------------------------------------------------------- steps */

static void move_clock(struct run *r)
{
    static const uint64_t by[] = {1, 1000, H2_BUSY_PING_MS + 1, H2_PONG_MS + 1};
    loop_skip(r->h2.loop, by[next(r) % COUNT_OF(by)]);
    loop_turn(r->h2.loop, false);
}

/* What a closed stream had queued is lost. */
static void block_or_free(struct run *r)
{
    uint8_t how = next(r);
    r->h2.stream.stuck = how & 1;
    if (how & 2 && !r->h2.stream.closed)
        fake_stream_take(&r->h2.stream, stream_queued(&r->h2.stream.base) / (1u + (how >> 4)));
}

static void step(struct run *r)
{
    struct owner *o;
    switch (next(r) % 20) {
    case 0: ask(r); break;
    case 1: send_body(r); break;
    case 2: finish_body(r); break;
    case 3:
        if ((o = an_owner(r)))
            give_up(o, next(r) & 1);
        break;
    case 4: pause_or_resume(r); break;
    case 5: loop_turn(r->h2.loop, false); break;
    case 6: move_clock(r); break;
    case 7: block_or_free(r); break;
    case 8: say_settings(r); break;
    case 9: say(r, SETTINGS, ACK, 0, SPAN("")); break;
    case 10: say_ping(r); break;
    case 11:
    case 12: say_head(r, false); break;
    case 13: say_head(r, true); break;
    case 14: say_trailers(r); break;
    case 15: say_data(r); break;
    case 16: say_reset(r); break;
    case 17: say_goaway(r); break;
    case 18: say_number(r, WINDOW_UPDATE, stream_id(r), next_number(r)); break;
    default: say_any(r);
    }
}

/* ---------------------------------------------------------------------------- the end */

/* How much of the request with this stream is in the first `len` bytes that were written; a byte of
 * a frame's head is a part of it. */
static enum sent sent_in(const struct run *r, uint32_t id, uint64_t len)
{
    const struct text *written = &r->h2.stream.written;
    const uint8_t *at = (const uint8_t *)written->at;
    enum sent sent = SENT_NO;
    for (uint64_t i = PREFACE; i < len && i + FRAME_HEAD <= written->len;) {
        size_t payload = (size_t)at[i] << 16 | (size_t)at[i + 1] << 8 | at[i + 2];
        uint8_t type = at[i + 3], flags = at[i + 4];
        uint32_t of = (at[i + 5] & 0x7fu) << 24 | (uint32_t)at[i + 6] << 16 |
                      (uint32_t)at[i + 7] << 8 | at[i + 8];
        bool is_request = of == id && (type == HEADERS || type == DATA || type == CONTINUATION);
        if (is_request && sent == SENT_NO)
            sent = SENT_PARTIAL;
        if (is_request && type != CONTINUATION && flags & END_STREAM &&
            i + FRAME_HEAD + payload <= len)
            sent = SENT_YES;
        i += FRAME_HEAD + payload;
    }
    return sent;
}

/* `answered`: what the origin has answered has reached it in part at least. */
static void check_sent(const struct run *r, size_t i, enum sent told, bool answered)
{
    const struct owner *o = &r->owners[i];
    uint32_t id = (uint32_t)(2 * i + 1);
    enum sent left = sent_in(r, id, r->h2.stream.base.taken);
    enum sent given = sent_in(r, id, r->h2.stream.written.len);
    CHECK(told >= left || o->spared);
    CHECK(told <= (o->in_the_end && !answered ? left : given));
}

static void check_owner(const struct run *r, size_t i)
{
    const struct owner *o = &r->owners[i];
    const struct recorder *a = &o->recorder;
    const struct verdict *v = &a->verdict;
    CHECK(a->ended + a->failed <= 1 && a->exchange == NULL);
    CHECK(!o->gave_up || a->ended + a->failed == 0);
    if (a->failed) {
        CHECK(v->error != FAILURE_NONE && v->detail[0]);
        CHECK(!v->undone || o->spared);
        check_sent(r, i, v->sent, v->answered);
    }
    if (o->gave_up) /* what was answered may have been over before the connection was */
        check_sent(r, i, o->sent, a->status != 0);
}

/* `quietly`: what has failed already is told before. */
static void end_connection(struct run *r, enum stream_end how, bool quietly)
{
    if (quietly)
        loop_turn(r->h2.loop, false);
    for (size_t i = 0; i < r->opened; i++)
        r->owners[i].in_the_end = quietly && r->owners[i].recorder.exchange != NULL;
    fake_stream_end(&r->h2.stream, how);
}

static void finish(struct run *r)
{
    r->h2.stream.stuck = false;
    loop_turn(r->h2.loop, false);
    for (size_t i = 0; i < OWNERS; i++) {
        struct recorder *a = &r->owners[i].recorder;
        if (a->exchange)
            exchange_resume(a->exchange);
        loop_turn(r->h2.loop, false);
        if (a->exchange)
            give_up(&r->owners[i], i & 1);
    }
    h2_setup_close(&r->h2);
    for (size_t i = 0; i < r->opened; i++)
        check_owner(r, i);
    h2_setup_end(&r->h2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {.at = data, .end = data + size};
    h2_setup_begin(&r.h2, OWNERS, 4096);
    r.piece = next(&r) & 7;
    uint8_t how = next(&r);
    if (how & 1)
        say(&r, SETTINGS, 0, 0, SPAN(""));
    for (unsigned n = how >> 1 & 3; n > 0; n--)
        ask(&r);
    for (unsigned n = 0; r.at < r.end && n < STEPS_MOST; n++)
        step(&r);
    if (how >> 6 <= STREAM_RESET && r.h2.conn)
        end_connection(&r, (enum stream_end)(how >> 6), how & 32);
    finish(&r);
    return 0;
}
