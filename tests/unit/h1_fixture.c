#include "h1_fixture.h"

#include <check.h>
#include <stdio.h>

static struct loop *loop;
struct fake_stream stream;
struct conn *conn;
struct conn_traffic traffic;
struct text heard;
struct recorder recorder;
bool closes_when_gone;

static void on_room(void *owner)
{
    ck_assert_ptr_eq(owner, &stream);
    ck_assert_uint_eq(conn_capacity(conn), 1);
    recorder_note(&heard, "room");
}

static void on_full(void *owner)
{
    (void)owner;
    ck_abort_msg("HTTP/1.1 lines have room for one or none");
}

static void on_gone(void *owner, enum close_reason why, const char *detail)
{
    ck_assert_ptr_eq(owner, &stream);
    ck_assert_ptr_nonnull(detail);
    ck_assert_uint_eq(conn_capacity(conn), 0);
    recorder_note(&heard, "gone:");
    text_add_str(&heard, close_reason_name(why));
    if (closes_when_gone)
        conn_close(conn);
    if (closes_when_gone)
        conn = NULL;
}

void begin(void)
{
    static const struct conn_events events = {on_room, on_full, on_gone};
    loop = loop_new();
    loop_hold(loop);
    fake_stream_init(&stream);
    traffic = (struct conn_traffic){0};
    heard = (struct text){0};
    text_add_str(&heard, "");
    conn = h1_conn_new(loop, &stream.base);
    conn->events = &events;
    conn->owner = &stream;
    conn->traffic = &traffic;
    closes_when_gone = true;
}

void finish(void)
{
    if (conn)
        conn_close(conn);
    conn = NULL;
    loop_turn(loop, false);
    fake_stream_free(&stream);
    text_free(&heard);
    loop_free(loop);
}

void turn(void)
{
    loop_turn(loop, false);
}

struct conn_request request(const char *method, enum framing framing, uint64_t length)
{
    return (struct conn_request){.method = span_of(method),
                                 .target = SPAN("/a?b"),
                                 .authority = SPAN("h"),
                                 .framing = framing,
                                 .length = length,
                                 .is_head = strcmp(method, "HEAD") == 0,
                                 .header_limit = 400};
}

static void open_as(const struct conn_request *r)
{
    ck_assert_uint_eq(conn_capacity(conn), 1);
    recorder_init(&recorder, &heard);
    recorder.exchange = conn_open(conn, r, &recorder_events, &recorder);
    ck_assert_uint_eq(conn_capacity(conn), 0);
}

void ask(const char *method)
{
    struct conn_request r = request(method, FRAMING_NONE, 0);
    open_as(&r);
    exchange_finish(recorder.exchange, NULL);
    turn();
}

void post(enum framing framing, uint64_t length)
{
    struct conn_request r = request("POST", framing, length);
    open_as(&r);
}

void feed(const char *text)
{
    ck_assert(fake_stream_feed(&stream, text, strlen(text)));
}
