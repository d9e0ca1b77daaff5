#include "h2_fixture.h"

#include <check.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>

struct loop *loop;
struct fake_stream stream;
struct conn *conn;
struct conn_traffic traffic;
struct text line_heard;
struct text heard[RECORDERS];
struct recorder recorders[RECORDERS];
nghttp2_session *origin;
static size_t eaten; /* bytes of the stream that the origin has read */
struct text seen;
bool deaf;

/* ------------------------------------------------------------------- origin */

static int seen_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name,
                       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                       void *user)
{
    (void)s, (void)f, (void)flags, (void)user;
    text_printf(&seen, " %.*s=%.*s;", (int)name_len, name, (int)value_len, value);
    return 0;
}

static int seen_begin(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    (void)s, (void)user;
    bool is_request = f->headers.cat == NGHTTP2_HCAT_REQUEST;
    text_printf(&seen, "[%s %d", is_request ? "request" : "trailers", f->hd.stream_id);
    return 0;
}

static int seen_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                     void *user)
{
    (void)s, (void)flags, (void)user;
    if (len < 100)
        text_printf(&seen, "[data %d %.*s]", id, (int)len, data);
    return 0;
}

static int seen_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    (void)s, (void)user;
    bool is_ack = f->hd.flags & NGHTTP2_FLAG_ACK;
    if (f->hd.type == NGHTTP2_HEADERS)
        text_add_str(&seen, "]");
    if (f->hd.type == NGHTTP2_RST_STREAM)
        text_printf(&seen, "[reset %d %s]", f->hd.stream_id,
                    nghttp2_http2_strerror(f->rst_stream.error_code));
    if (f->hd.type == NGHTTP2_GOAWAY)
        text_printf(&seen, "[goaway %s]", nghttp2_http2_strerror(f->goaway.error_code));
    if (f->hd.type == NGHTTP2_PING && !is_ack)
        text_add_str(&seen, "[ping]");
    if ((f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA) &&
        f->hd.flags & NGHTTP2_FLAG_END_STREAM)
        text_printf(&seen, "[end %d]", f->hd.stream_id);
    return 0;
}

static void origin_new(void)
{
    nghttp2_session_callbacks *c;
    nghttp2_option *o;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_header_callback(c, seen_header);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, seen_begin);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, seen_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, seen_frame);
    nghttp2_option_new(&o);
    nghttp2_option_set_no_http_messaging(o, 1); /* the origin may misbehave */
    nghttp2_option_set_max_settings(o, 1000);
    ck_assert_int_eq(nghttp2_session_server_new2(&origin, c, NULL, o), 0);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
}

void allow(uint32_t streams)
{
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams};
    nghttp2_submit_settings(origin, NGHTTP2_FLAG_NONE, &entry, 1);
}

bool to_origin(void)
{
    size_t taken = stream.base.taken;
    if (taken == eaten)
        return false;
    ssize_t n =
        nghttp2_session_mem_recv(origin, (const uint8_t *)stream.written.at + eaten, taken - eaten);
    ck_assert_msg(n == (ssize_t)(taken - eaten), "the origin: %s", nghttp2_strerror((int)n));
    eaten = taken;
    return true;
}

bool from_origin(void)
{
    const uint8_t *at;
    ssize_t n;
    bool any = false;
    while (!deaf && (n = nghttp2_session_mem_send(origin, &at)) > 0)
        any |= fake_stream_feed(&stream, (const char *)at, (size_t)n);
    return any;
}

void pump(void)
{
    bool any = true;
    while (any) {
        loop_turn(loop, false);
        any = to_origin();
        any |= from_origin();
    }
}

static size_t fields_of(const char *text, nghttp2_nv *to, char *copy)
{
    size_t n = 0;
    char *end, *field = strcpy(copy, text);
    for (; *field; field = end + 1) {
        char *equals = strchr(field, '=');
        end = strchr(field, ';');
        to[n++] = (nghttp2_nv){.name = (uint8_t *)field,
                               .value = (uint8_t *)equals + 1,
                               .namelen = (size_t)(equals - field),
                               .valuelen = (size_t)(end - equals - 1)};
    }
    return n;
}

void say_head(int32_t id, const char *fields, bool is_last)
{
    static nghttp2_nv nv[64];
    static char copy[4096], status[32];
    snprintf(status, sizeof status, ":status=%s;", fields);
    size_t n = fields_of(strchr(fields, ';') ? fields : status, nv, copy);
    ck_assert_int_eq(nghttp2_submit_headers(origin,
                                            is_last ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE,
                                            id, NULL, nv, n, NULL),
                     0);
    pump();
}

static struct {
    const char *at;
    size_t len;
    bool is_last;
} body_left;

static ssize_t read_body(nghttp2_session *s, int32_t id, uint8_t *to, size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    (void)s, (void)id, (void)source, (void)user;
    size_t n = body_left.len < size ? body_left.len : size;
    memcpy(to, body_left.at, n);
    body_left.at += n;
    body_left.len -= n;
    if (body_left.len == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF | (body_left.is_last ? 0 : NGHTTP2_DATA_FLAG_NO_END_STREAM);
    return (ssize_t)n;
}

void say_bytes(int32_t id, const char *at, size_t len, bool is_last)
{
    nghttp2_data_provider provider = {.read_callback = read_body};
    body_left.at = at;
    body_left.len = len;
    body_left.is_last = is_last;
    ck_assert_int_eq(nghttp2_submit_data(origin, NGHTTP2_FLAG_END_STREAM, id, &provider), 0);
    pump();
}

size_t kept_back(void)
{
    return body_left.len;
}

void say(int32_t id, const char *text, bool is_last)
{
    say_bytes(id, text, strlen(text), is_last);
}

void answer(int32_t id)
{
    say_head(id, "200", false);
    say(id, "hi", true);
}

void reset(int32_t id, uint32_t code)
{
    nghttp2_submit_rst_stream(origin, NGHTTP2_FLAG_NONE, id, code);
    pump();
}

void leave(int32_t last, uint32_t code)
{
    nghttp2_submit_goaway(origin, NGHTTP2_FLAG_NONE, last, code, NULL, 0);
    pump();
}

void say_frame(uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len)
{
    char frame[9 + 300] = {(char)(len >> 16), (char)(len >> 8), (char)len,
                           (char)type,        (char)flags,      (char)(id >> 24),
                           (char)(id >> 16),  (char)(id >> 8),  (char)id};
    ck_assert_uint_le(len, 300);
    memcpy(frame + 9, payload, len);
    (void)!fake_stream_feed(&stream, frame, 9 + len);
}

/* --------------------------------------------------------------------- line */

static void on_room(void *owner)
{
    ck_assert_ptr_eq(owner, &stream);
    recorder_note(&line_heard, "room");
}

static void on_full(void *owner)
{
    ck_assert_ptr_eq(owner, &stream);
    recorder_note(&line_heard, "full");
}

static void on_gone(void *owner, enum close_reason why, const char *detail)
{
    ck_assert_ptr_eq(owner, &stream);
    ck_assert_ptr_nonnull(detail);
    ck_assert_uint_eq(conn_capacity(conn), 0);
    recorder_note(&line_heard, "gone:");
    text_add_str(&line_heard, close_reason_name(why));
    conn_close(conn);
    conn = NULL;
}

void begin(void)
{
    static const struct conn_events events = {on_room, on_full, on_gone};
    loop = loop_new();
    loop_hold(loop);
    fake_stream_init(&stream);
    traffic = (struct conn_traffic){0};
    seen = line_heard = (struct text){0};
    text_add_str(&seen, "");
    text_add_str(&line_heard, "");
    memset(heard, 0, sizeof heard);
    memset(recorders, 0, sizeof recorders);
    eaten = 0;
    deaf = false;
    origin_new();
    conn = h2_conn_new(loop, &stream.base, true, HEADER_LIMIT);
    conn->events = &events;
    conn->owner = &stream;
    conn->traffic = &traffic;
}

void line_is(const char *expected)
{
    ck_assert_str_eq(line_heard.at, expected);
    text_clear(&line_heard);
    text_add_str(&line_heard, "");
}

void seen_is(const char *expected)
{
    ck_assert_str_eq(seen.at, expected);
    text_clear(&seen);
    text_add_str(&seen, "");
}

void meet(void)
{
    begin();
    allow(100);
    pump();
    ck_assert_uint_eq(conn->allowed, 100);
    line_is("room");
    seen_is("");
}

void heard_is(size_t i, const char *expected)
{
    ck_assert_str_eq(heard[i].at ? heard[i].at : "", expected);
    text_clear(&heard[i]);
    text_add_str(&heard[i], "");
}

void finish(void)
{
    for (size_t i = 0; i < RECORDERS; i++)
        if (recorders[i].exchange)
            recorder_cancel(&recorders[i]);
    if (conn)
        conn_close(conn);
    conn = NULL;
    loop_turn(loop, false);
    ck_assert_uint_eq(traffic.streams, 0);
    nghttp2_session_del(origin);
    fake_stream_free(&stream);
    text_free(&line_heard);
    text_free(&seen);
    for (size_t i = 0; i < RECORDERS; i++)
        text_free(&heard[i]);
    loop_free(loop);
}

struct conn_request request(const char *method, enum framing framing, uint64_t length)
{
    return (struct conn_request){.method = span_of(method),
                                 .target = SPAN("/a?b"),
                                 .authority = SPAN("h"),
                                 .framing = framing,
                                 .length = length,
                                 .is_head = strcmp(method, "HEAD") == 0,
                                 .header_limit = HEADER_LIMIT};
}

void open_as(size_t i, const struct conn_request *r)
{
    recorder_init(&recorders[i], &heard[i]);
    recorders[i].exchange = conn_open(conn, r, &recorder_events, &recorders[i]);
}

void ask(size_t i, const char *method)
{
    struct conn_request r = request(method, FRAMING_NONE, 0);
    open_as(i, &r);
    exchange_finish(recorders[i].exchange, NULL);
    pump();
}

void ask_all(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct conn_request r = request("GET", FRAMING_NONE, 0);
        open_as(i, &r);
        exchange_finish(recorders[i].exchange, NULL);
    }
    pump();
}

void post(size_t i, enum framing framing, uint64_t length)
{
    struct conn_request r = request("POST", framing, length);
    open_as(i, &r);
}
