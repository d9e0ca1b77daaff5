/* What the fuzz targets of HTTP/2 begin with: a loop, and an HTTP/2 connection over a stream without
 * a network, as its line would own it. Owned by the target's run. The connection is open, or gone
 * (NULL), after which it must tell its owner nothing more. */
#pragma once

#include "../unit/fake_stream.h"
#include "../unit/recorder.h"
#include "protocol/h2_conn.h"

struct h2_setup {
    struct loop *loop;
    struct fake_stream stream;
    struct conn *conn; /* NULL: it is gone */
    struct conn_traffic traffic;
    size_t load_most; /* exchanges that may be open at the same time */
    struct text heard;
    unsigned gones;
};

static void h2_setup_on_room(void *owner)
{
    struct h2_setup *s = owner;
    CHECK(s->gones == 0 && conn_load(s->conn) <= s->load_most);
}

static void h2_setup_on_gone(void *owner, enum close_reason why, const char *detail)
{
    struct h2_setup *s = owner;
    CHECK(s->gones++ == 0 && detail != NULL);
    CHECK(why == CLOSE_PEER || why == CLOSE_ERROR || why == CLOSE_RESPONSE);
    CHECK(conn_capacity(s->conn) == 0 && conn_load(s->conn) == 0);
    conn_close(s->conn);
    s->conn = NULL;
}

/* `header_limit` in bytes. */
static void h2_setup_begin(struct h2_setup *s, size_t load_most, size_t header_limit)
{
    static const struct conn_events events = {h2_setup_on_room, h2_setup_on_room, h2_setup_on_gone};
    s->load_most = load_most;
    s->loop = loop_new();
    fake_stream_init(&s->stream);
    s->conn = h2_conn_new(s->loop, &s->stream.base, true, header_limit);
    s->conn->events = &events;
    s->conn->owner = s;
    s->conn->traffic = &s->traffic;
}

/* Closes the connection, if it is still open; no stream may be left. The owner still reads what was
 * written. */
static void h2_setup_close(struct h2_setup *s)
{
    loop_turn(s->loop, false);
    if (s->conn)
        conn_close(s->conn);
    loop_turn(s->loop, false);
    CHECK(s->traffic.streams == 0);
}

static void h2_setup_end(struct h2_setup *s)
{
    fake_stream_free(&s->stream);
    text_free(&s->heard);
    loop_free(s->loop);
}
