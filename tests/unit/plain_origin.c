#include "plain_origin.h"

#include <string.h>

#include "net/stream_uv.h"

static void drop(struct origin_line *l, bool reset)
{
    if (l->stream == NULL)
        return;
    if (reset)
        stream_reset(l->stream);
    else
        stream_close(l->stream);
    l->stream = NULL;
}

static void say(struct origin_line *l, const char *text)
{
    uv_buf_t piece = uv_buf_init((char *)text, (unsigned)strlen(text));
    if (l->stream && piece.len)
        (void)!stream_write(l->stream, &piece, 1);
}

/* Returns true once the head has arrived and the body is complete: as long as Content-Length says,
 * or up to the last chunk. */
static bool is_whole(const struct text *t)
{
    const char *end = strstr(t->at, "\r\n\r\n"), *length = strstr(t->at, "Content-Length: ");
    if (end == NULL)
        return false;
    if (strstr(t->at, "chunked\r\n"))
        return strstr(end, "0\r\n\r\n") != NULL;
    size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
    return t->len >= (size_t)(end + 4 - t->at) + body;
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct origin_line *l = owner;
    struct plain_origin *o = l->origin;
    text_add(&l->got, (struct span){data, len});
    text_clear(&o->last);
    text_add(&o->last, text_span(&l->got));
    if (!is_whole(&l->got))
        return;
    if (o->on_request)
        o->on_request(l->got.at);
    text_clear(&l->got);
    o->requests++;
    if (o->manner == ORIGIN_WAITS)
        return;
    say(l, o->answer);
    if (o->manner == ORIGIN_CLOSES)
        stream_shutdown(l->stream);
    if (o->manner == ORIGIN_RESETS)
        drop(l, true);
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    (void)how;
    (void)why;
    drop(owner, false);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_connection(uv_stream_t *listener, int status)
{
    static const struct stream_events events = {on_data, on_end, on_drain};
    struct plain_origin *o = listener->data;
    CHECK(status == 0);
    struct origin_line *l = &o->lines[o->accepted++ % ORIGIN_LINES];
    drop(l, false); /* the slot of a much older line, which is reused */
    text_clear(&l->got);
    l->origin = o;
    l->stream = stream_uv_accept(o->loop, listener);
    CHECK(l->stream != NULL);
    stream_bind(l->stream, &events, l);
    stream_resume(l->stream);
}

void plain_origin_start(struct plain_origin *o, struct loop *loop)
{
    struct sockaddr_in at;
    int len = sizeof at;
    *o = (struct plain_origin){.loop = loop, .answer = ""};
    text_add_str(&o->last, "");
    CHECK(uv_tcp_init(loop_uv(loop), &o->listener) == 0);
    o->listener.data = o;
    CHECK(uv_ip4_addr("127.0.0.1", 0, &at) == 0);
    CHECK(uv_tcp_bind(&o->listener, (const struct sockaddr *)&at, 0) == 0);
    CHECK(uv_listen((uv_stream_t *)&o->listener, 128, on_connection) == 0);
    CHECK(uv_tcp_getsockname(&o->listener, (struct sockaddr *)&at, &len) == 0);
    o->port = ntohs(at.sin_port);
}

void plain_origin_refuse(struct plain_origin *o)
{
    uv_close((uv_handle_t *)&o->listener, NULL);
    o->refuses = true;
}

void plain_origin_end(struct plain_origin *o)
{
    if (!o->refuses)
        uv_close((uv_handle_t *)&o->listener, NULL);
    for (size_t i = 0; i < ORIGIN_LINES; i++) {
        drop(&o->lines[i], false);
        text_free(&o->lines[i].got);
    }
    text_free(&o->last);
}

void plain_origin_say(struct plain_origin *o, unsigned n, const char *text)
{
    say(&o->lines[n % ORIGIN_LINES], text);
}

void plain_origin_close(struct plain_origin *o, unsigned n, bool reset)
{
    drop(&o->lines[n % ORIGIN_LINES], reset);
}
