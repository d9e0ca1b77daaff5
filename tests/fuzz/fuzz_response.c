/* An HTTP/1.1 connection that receives any bytes, split anywhere, from an origin that may close at
 * any point, for an owner that may cancel or pause at any point. There must be exactly one end
 * event and no event after it, and the connection may be reused only after one complete
 * response. */
#include <llhttp.h>

#include "../unit/fake_stream.h"
#include "../unit/recorder.h"
#include "protocol/h1_conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input's first bytes. */
struct plan {
    uint8_t method; /* GET, HEAD, POST sent, POST not yet sent; above: the close comes first */
    uint8_t end;    /* enum stream_end, or none; above: where the owner cancels or pauses */
    uint8_t piece;  /* bytes per record; 0: all in one */
    uint8_t turns;  /* the loop turns after every so many records; 0: at the end */
};

enum { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_UNFINISHED };

struct run {
    struct plan plan;
    struct loop *loop;
    struct fake_stream stream;
    struct conn *conn;
    struct conn_traffic traffic;
    struct recorder recorder;
    struct text heard;
    unsigned rooms, gones;
};

static void on_room(void *owner)
{
    struct run *r = owner;
    CHECK(r->rooms++ == 0 && r->gones == 0);
    CHECK(r->recorder.failed == 0 && r->recorder.ended == 0); /* the line comes first */
    CHECK(conn_capacity(r->conn) == 1);
}

static void on_full(void *owner)
{
    (void)owner;
    CHECK(!"HTTP/1.1 lines have room for one or none");
}

static void on_gone(void *owner, enum close_reason why, const char *detail)
{
    struct run *r = owner;
    CHECK(r->gones++ == 0 && detail != NULL);
    CHECK(why == CLOSE_PEER || why == CLOSE_ERROR || why == CLOSE_RESPONSE);
    CHECK(conn_capacity(r->conn) == 0);
    conn_close(r->conn);
}

static void begin(struct run *r)
{
    static const struct conn_events events = {on_room, on_full, on_gone};
    r->loop = loop_new();
    fake_stream_init(&r->stream);
    r->conn = h1_conn_new(r->loop, &r->stream.base);
    r->conn->events = &events;
    r->conn->owner = r;
    r->conn->traffic = &r->traffic;
}

static void ask(struct run *r)
{
    static const struct fields none;
    uint8_t method = r->plan.method & 3;
    bool posts = method == METHOD_POST || method == METHOD_UNFINISHED;
    struct conn_request q = {.method = posts ? SPAN("POST") : SPAN("GET"),
                             .target = SPAN("/"),
                             .authority = SPAN("h"),
                             .framing = posts ? FRAMING_CHUNKED : FRAMING_NONE,
                             .is_head = method == METHOD_HEAD,
                             .header_limit = 512};
    recorder_init(&r->recorder, &r->heard);
    r->recorder.cancel_in =
        (r->plan.end >> 2 & 7) <= RECORDER_BODY ? r->plan.end >> 2 & 7 : RECORDER_NONE;
    r->recorder.pause_in = r->plan.end >> 5 & 3;
    r->recorder.exchange = conn_open(r->conn, &q, &recorder_events, &r->recorder);
    if (posts)
        (void)!exchange_body(r->recorder.exchange, "body", 4);
    if (method != METHOD_UNFINISHED)
        exchange_finish(r->recorder.exchange, &none);
    loop_turn(r->loop, false);
}

static void feed(struct run *r, const char *at, size_t len)
{
    size_t piece = r->plan.piece ? r->plan.piece : len, records = 0;
    while (len && !r->stream.closed) {
        size_t n = len < piece ? len : piece;
        if (r->stream.paused) {
            CHECK(r->recorder.pause_in != RECORDER_NONE);
            if (r->recorder.exchange ==
                NULL) /* cancelled while paused: the turn of the loop completes the cancellation */
                return;
            exchange_resume(r->recorder.exchange);
        }
        CHECK(fake_stream_feed(&r->stream, at, n));
        at += n;
        len -= n;
        if (r->plan.turns && ++records % r->plan.turns == 0)
            loop_turn(r->loop, false);
    }
}

/* How llhttp alone parses the input: the number of complete final messages, and whether bytes were
 * left after the first. */
struct witness {
    llhttp_t parser;
    bool is_head, whole;
};

static int witness_head(llhttp_t *p)
{
    struct witness *w = p->data;
    p->upgrade = 0;
    return p->status_code >= 200 && w->is_head;
}

static int witness_complete(llhttp_t *p)
{
    struct witness *w = p->data;
    if (p->status_code < 200)
        return HPE_OK;
    w->whole = true;
    return HPE_PAUSED;
}

static bool is_one_message(const char *at, size_t len, bool is_head)
{
    struct witness w = {.is_head = is_head};
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_headers_complete = witness_head;
    settings.on_message_complete = witness_complete;
    llhttp_init(&w.parser, HTTP_RESPONSE, &settings);
    llhttp_set_lenient_keep_alive(&w.parser, 1); /* as h1_exchange does */
    llhttp_set_lenient_chunked_length(&w.parser, 1);
    w.parser.data = &w;
    llhttp_errno_t error = llhttp_execute(&w.parser, at, len);
    return error == HPE_PAUSED && w.whole && llhttp_get_error_pos(&w.parser) == at + len;
}

/* Checked before any further turn of the loop, so that no stray byte can go unnoticed. */
static void check_reuse(const struct run *r, const char *at, size_t len)
{
    if (r->rooms == 0)
        return;
    CHECK((r->plan.method & 3) != METHOD_UNFINISHED);
    if (r->plan.turns == 0)
        CHECK(is_one_message(at, len, (r->plan.method & 3) == METHOD_HEAD));
    if (r->recorder.cancel_in == RECORDER_NONE)
        CHECK(r->recorder.ended == 1);
}

static void check_ends(struct run *r, bool cancelled)
{
    CHECK(r->recorder.ended + r->recorder.failed <= 1);
    CHECK(!cancelled || r->recorder.ended + r->recorder.failed == 0);
    if (r->recorder.failed) {
        CHECK(r->gones == 1 && r->rooms == 0);
        CHECK(r->recorder.verdict.error != FAILURE_NONE && r->recorder.verdict.detail[0]);
    }
    if (r->recorder.ended || cancelled)
        CHECK(r->gones + r->rooms >= 1);
    if (r->recorder.exchange)
        CHECK(r->gones == 0 && r->rooms == 0);
}

static void finish(struct run *r)
{
    bool cancelled = r->recorder.exchange != NULL;
    if (r->recorder.exchange)
        recorder_cancel(&r->recorder);
    if (cancelled && r->plan.method & 4) { /* closed before it could be reported */
        conn_close(r->conn);
    } else {
        loop_turn(r->loop, false);
        CHECK(!cancelled || r->gones == 1);
        if (r->gones == 0)
            conn_close(r->conn);
    }
    loop_turn(r->loop, false);
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
    const char *text = (const char *)data + sizeof r.plan;
    size_t len = size - sizeof r.plan;
    begin(&r);
    ask(&r);
    feed(&r, text, len);
    if ((r.plan.end & 3) <= STREAM_RESET && r.rooms == 0)
        fake_stream_end(&r.stream, (enum stream_end)(r.plan.end & 3));
    loop_turn(r.loop, false);
    check_reuse(&r, text, len);
    check_ends(&r, r.recorder.exchange == NULL && r.recorder.ended + r.recorder.failed == 0);
    finish(&r);
    return 0;
}
