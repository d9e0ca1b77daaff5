/* An HTTP/2 line, three requests on it, and whatever its origin says. The input's
 * first bytes say how the requests go out, where an asker leaves or pauses, and how
 * the records are cut; the rest is the origin's. Checks that each asker hears of one
 * end, that nothing comes after it, and that the line's room is never negative. */
#include <stdio.h>

#include "../unit/asker.h"
#include "../unit/fake_stream.h"
#include "protocol/h2_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ASKERS 3

struct plan {
    uint8_t methods; /* two bits each: GET, HEAD, POST sent, POST not yet sent */
    uint8_t asker;   /* where the first leaves, and the second pauses */
    uint8_t end;     /* enum stream_end, or none; above: the clock runs on */
    uint8_t piece;   /* bytes per record; 0: all in one; the loop turns after each */
};

struct run {
    struct plan plan;
    struct loop *loop;
    struct fake_stream stream;
    struct conn *conn; /* NULL: it was gone */
    struct conn_traffic traffic;
    struct asker askers[ASKERS];
    struct text heard;
    unsigned gones;
};

static void on_room(void *owner)
{
    struct run *r = owner;
    CHECK(r->gones == 0 && conn_load(r->conn) <= ASKERS);
}

static void on_gone(void *owner, enum close_reason why, const char *detail)
{
    struct run *r = owner;
    CHECK(r->gones++ == 0 && detail != NULL);
    CHECK(why == CLOSE_PEER || why == CLOSE_ERROR || why == CLOSE_RESPONSE);
    CHECK(conn_capacity(r->conn) == 0 && conn_load(r->conn) == 0);
    conn_close(r->conn);
    r->conn = NULL;
}

static void begin(struct run *r)
{
    static const struct conn_events events = {on_room, on_room, on_gone};
    r->loop = loop_new();
    fake_stream_init(&r->stream);
    r->conn = h2_conn_new(r->loop, &r->stream.base, true, 512);
    r->conn->events = &events;
    r->conn->owner = r;
    r->conn->traffic = &r->traffic;
}

static enum asker_event moment(unsigned bits)
{
    return bits <= ASKER_BODY ? (enum asker_event)bits : ASKER_NONE;
}

static void ask(struct run *r, size_t i)
{
    static const struct fields none;
    unsigned method = r->plan.methods >> 2 * i & 3;
    struct conn_request q = {.method = method >= 2 ? SPAN("POST") : SPAN("GET"),
                             .target = SPAN("/"),
                             .authority = SPAN("h"),
                             .framing = method >= 2 ? FRAMING_CHUNKED : FRAMING_NONE,
                             .is_head = method == 1,
                             .header_limit = 512};
    struct asker *a = &r->askers[i];
    asker_init(a, &r->heard);
    a->exchange = conn_open(r->conn, &q, &asker_events, a);
    if (method >= 2)
        (void)!exchange_body(a->exchange, "body", 4);
    if (method != 3)
        exchange_finish(a->exchange, &none);
}

/* Every origin begins with SETTINGS, or the input would hardly get further. */
static void greet(struct run *r)
{
    static const char settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    CHECK(fake_stream_feed(&r->stream, settings, sizeof settings));
    loop_turn(r->loop, false);
}

static void feed(struct run *r, const char *at, size_t len)
{
    size_t piece = r->plan.piece ? r->plan.piece : len;
    while (len && !r->stream.closed) {
        size_t n = len < piece ? len : piece;
        CHECK(fake_stream_feed(&r->stream, at, n));
        loop_turn(r->loop, false);
        at += n;
        len -= n;
    }
}

static void check_ends(const struct run *r, size_t i)
{
    const struct asker *a = &r->askers[i];
    CHECK(a->ended + a->failed <= 1 && (a->exchange == NULL || a->ended + a->failed == 0));
    CHECK(a->failed == 0 || (a->verdict.error != FAILURE_NONE && a->verdict.detail[0]));
    CHECK(a->failed == 0 || a->verdict.sent == SENT_NO || r->stream.base.taken > 0);
}

static void finish(struct run *r)
{
    for (size_t i = 0; i < ASKERS; i++) {
        if (r->askers[i].exchange)
            exchange_resume(r->askers[i].exchange);
        loop_turn(r->loop, false);
        check_ends(r, i);
        if (r->askers[i].exchange)
            asker_cancel(&r->askers[i]);
    }
    loop_turn(r->loop, false);
    if (r->conn)
        conn_close(r->conn);
    loop_turn(r->loop, false);
    CHECK(r->traffic.streams == 0);
    fake_stream_free(&r->stream);
    text_free(&r->heard);
    loop_free(r->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {0};
    if (size < sizeof r.plan)
        return 0;
    r.plan = (struct plan){data[0], data[1], data[2], data[3]};
    begin(&r);
    greet(&r);
    for (size_t i = 0; i < ASKERS; i++)
        ask(&r, i);
    r.askers[0].cancel_in = moment(r.plan.asker & 7);
    r.askers[1].pause_in = moment(r.plan.asker >> 3 & 7);
    loop_turn(r.loop, false);
    feed(&r, (const char *)data + sizeof r.plan, size - sizeof r.plan);
    if (r.plan.end & 4)
        loop_skip(r.loop, H2_BUSY_PING_MS + H2_PONG_MS + 1);
    if ((r.plan.end & 3) <= STREAM_RESET && r.conn)
        fake_stream_end(&r.stream, (enum stream_end)(r.plan.end & 3));
    loop_turn(r.loop, false);
    finish(&r);
    return 0;
}
