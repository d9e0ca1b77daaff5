/* An HTTP/2 connection with three requests, and arbitrary bytes from its origin. The input's first
 * bytes choose how the requests are sent, where an owner cancels or pauses, and how the records are
 * split; the rest is what the origin sends. Checks that each owner gets exactly one end event and
 * no event after it, and that open exchanges are counted correctly. */
#include <stdio.h>

#include "h2_setup.h"
#include "protocol/h2_proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OWNERS 3
#define LARGE_BODY 64

enum { LARGE = 0x40, EXPIRES = 0x80, CLOCK = 4, FULL = 8 };

struct plan {
    uint8_t methods; /* two bits each: GET, HEAD, POST sent, POST not yet sent; above: bodies
                        are larger than what is gathered, and what is left expires */
    uint8_t owner;   /* where the first cancels, and the second pauses; above: the third, too */
    uint8_t end;     /* enum stream_end, or none; above: the clock runs on, or the stream is
                        full at first */
    uint8_t piece;   /* bytes per record; 0: all in one; the loop turns after each */
};

struct run {
    struct plan plan;
    struct h2_setup h2;
    struct recorder owners[OWNERS];
};

static enum recorder_event moment(unsigned bits)
{
    return bits <= RECORDER_BODY ? (enum recorder_event)bits : RECORDER_NONE;
}

static void send_body(struct run *r, struct exchange *x)
{
    static const char piece[8192];
    bool more = exchange_body(x, "body", 4);
    for (size_t n = 0; more && r->plan.methods & LARGE && n < LARGE_BODY; n++)
        more = exchange_body(x, piece, sizeof piece);
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
    struct recorder *a = &r->owners[i];
    recorder_init(a, &r->h2.heard);
    a->exchange = conn_open(r->h2.conn, &q, &recorder_events, a);
    if (method >= 2)
        send_body(r, a->exchange);
    if (method != 3)
        exchange_finish(a->exchange, &none);
}

/* SETTINGS are always sent first, otherwise few inputs would get any further. */
static void greet(struct run *r)
{
    static const char settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    CHECK(fake_stream_feed(&r->h2.stream, settings, sizeof settings));
    loop_turn(r->h2.loop, false);
}

static void feed(struct run *r, const char *at, size_t len)
{
    size_t piece = r->plan.piece ? r->plan.piece : len;
    while (len && !r->h2.stream.closed) {
        size_t n = len < piece ? len : piece;
        CHECK(fake_stream_feed(&r->h2.stream, at, n));
        loop_turn(r->h2.loop, false);
        at += n;
        len -= n;
    }
}

static void check_ends(const struct run *r, size_t i)
{
    const struct recorder *a = &r->owners[i];
    CHECK(a->ended + a->failed <= 1 && (a->exchange == NULL || a->ended + a->failed == 0));
    CHECK(a->failed == 0 || (a->verdict.error != FAILURE_NONE && a->verdict.detail[0]));
    CHECK(a->failed == 0 || a->verdict.sent == SENT_NO || r->h2.stream.base.taken > 0);
}

static void give_up(const struct run *r, struct recorder *a)
{
    struct exchange *x = a->exchange;
    if (x == NULL)
        return;
    a->exchange = NULL;
    if (r->plan.methods & EXPIRES)
        exchange_expire(x);
    else
        exchange_cancel(x);
}

static void finish(struct run *r)
{
    for (size_t i = 0; i < OWNERS; i++) {
        if (r->owners[i].exchange)
            exchange_resume(r->owners[i].exchange);
        loop_turn(r->h2.loop, false);
        check_ends(r, i);
        give_up(r, &r->owners[i]);
    }
    h2_setup_close(&r->h2);
    h2_setup_end(&r->h2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {0};
    if (size < sizeof r.plan)
        return 0;
    r.plan = (struct plan){data[0], data[1], data[2], data[3]};
    h2_setup_begin(&r.h2, OWNERS, 512);
    greet(&r);
    r.h2.stream.stuck = r.plan.end & FULL;
    for (size_t i = 0; i < OWNERS; i++)
        ask(&r, i);
    r.owners[0].cancel_in = moment(r.plan.owner & 7);
    r.owners[1].pause_in = moment(r.plan.owner >> 3 & 7);
    r.owners[2].cancel_in = moment(r.plan.owner >> 6);
    loop_turn(r.h2.loop, false);
    r.h2.stream.stuck = false;
    fake_stream_take(&r.h2.stream, stream_queued(&r.h2.stream.base) / 2);
    loop_turn(r.h2.loop, false);
    feed(&r, (const char *)data + sizeof r.plan, size - sizeof r.plan);
    if (r.plan.end & CLOCK)
        loop_skip(r.h2.loop, H2_BUSY_PING_MS + H2_PONG_MS + 1);
    if ((r.plan.end & 3) <= STREAM_RESET && r.h2.conn)
        fake_stream_end(&r.h2.stream, (enum stream_end)(r.plan.end & 3));
    loop_turn(r.h2.loop, false);
    finish(&r);
    return 0;
}
