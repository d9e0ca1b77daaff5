/* A line over a fake stream, its asker, and what was heard, for check_h1_conn.c. */
#pragma once

#include <check.h>
#include <stdio.h>

#include "asker.h"
#include "fake_stream.h"
#include "protocol/h1_conn.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define OK_HEARD "head 200 OK Content-Length=2; body(hi)"

static struct loop *loop;
static struct fake_stream stream;
static struct conn *conn;
static struct conn_traffic traffic;
static struct text heard;
static struct asker asker;
static bool closes_when_gone;

static void on_room(void *owner)
{
    ck_assert_ptr_eq(owner, &stream);
    ck_assert_uint_eq(conn_capacity(conn), 1);
    asker_note(&heard, "room");
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
    asker_note(&heard, "gone:");
    text_add_str(&heard, close_reason_name(why));
    if (closes_when_gone)
        conn_close(conn);
    if (closes_when_gone)
        conn = NULL;
}

static void begin(void)
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

static void finish(void)
{
    if (conn)
        conn_close(conn);
    conn = NULL;
    loop_turn(loop, false);
    fake_stream_free(&stream);
    text_free(&heard);
    loop_free(loop);
}

static void turn(void)
{
    loop_turn(loop, false);
}

static struct conn_request request(const char *method, enum framing framing, uint64_t length)
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
    asker_init(&asker, &heard);
    asker.exchange = conn_open(conn, r, &asker_events, &asker);
    ck_assert_uint_eq(conn_capacity(conn), 0);
}

static void ask(const char *method)
{
    struct conn_request r = request(method, FRAMING_NONE, 0);
    open_as(&r);
    exchange_finish(asker.exchange, NULL);
    turn();
}

static void post(enum framing framing, uint64_t length)
{
    struct conn_request r = request("POST", framing, length);
    open_as(&r);
}

static void feed(const char *text)
{
    ck_assert(fake_stream_feed(&stream, text, strlen(text)));
}
