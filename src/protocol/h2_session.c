#include "protocol/h2_session.h"

#include "protocol/h2_memory.h"

#define FRAME_MAX (64 * 1024)         /* as much as one read of the stream brings */
#define CONN_WINDOW (8 * 1024 * 1024) /* of all streams together; given back at once */
#define SEND_HEAD_MAX (1024 * 1024)
#define FRAME_HEAD 9           /* RFC 9113 4.1 */
#define RECORD_MAX (16 * 1024) /* of TLS, RFC 8446 5.1 */
#define UPDATE_BYTES 128       /* of a request's body: they may cause one WINDOW_UPDATE */
#define FIELD_COST 32          /* what RFC 9113 6.5.2 adds to a field's name and value */
#define FAR_TOO_LARGE 4      /* times the SETTINGS_MAX_HEADER_LIST_SIZE that the origin was told */
#define HEADS_PER_RESPONSE 2 /* a head and trailers */
#define EXTENSION_FIRST 0x0a
#define EXTENSION_LAST 0xff

static struct h2_exchange *find(nghttp2_session *session, int32_t id)
{
    return id > 0 ? h2_exchange_find(session, id) : NULL;
}

/* Whether it has not left its connection. One that has is freed by a task. */
static bool is_open(struct h2_exchange *x)
{
    return h2_exchange_link(x)->on != NULL;
}

/* ---------------------------------------------------------------- receiving */

/* A stream that we have opened, even if it is closed by now. */
static bool is_ours(const struct h2_session *s, int32_t id)
{
    return id % 2 == 1 && (uint32_t)id < nghttp2_session_get_next_stream_id(s->nghttp2);
}

/* Frames that do something for a request: header sections, bodies, their ends, and the
 * windows of what we send. Many origins end each response with an empty DATA frame
 * (RFC 9113 8.1). A header section of a stream without exchange was on its way when we reset
 * the stream. */
static bool is_work(struct h2_session *s, const nghttp2_frame_hd *hd)
{
    switch (hd->type) {
    case NGHTTP2_HEADERS:
        return find(s->nghttp2, hd->stream_id) || (s->heads_due && s->heads_due--);
    case NGHTTP2_CONTINUATION: return true;
    case NGHTTP2_DATA:
        return hd->length > 0 || (hd->flags & NGHTTP2_FLAG_END_STREAM && is_ours(s, hd->stream_id));
    case NGHTTP2_RST_STREAM: return is_ours(s, hd->stream_id);
    case NGHTTP2_WINDOW_UPDATE:
        return is_ours(s, hd->stream_id) || (s->updates_due && s->updates_due--);
    default: return false;
    }
}

/* Ends the connection, and says why. */
static int end_conn(struct h2_session *s, const char *words)
{
    s->flood = words;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Every header section has to be decoded to its end, since all of a connection share one
 * table (RFC 9113 4.3), and one byte of it may stand for everything in the table. So a
 * section that is somewhat too large fails its exchange only; one that is far too large ends
 * the connection, whether it is a head, trailers, or of a stream without exchange. */
static int count_head(struct h2_session *s, int32_t id, size_t *of, size_t len)
{
    *of += len + FIELD_COST;
    if (*of <= s->header_most)
        return 0;
    struct h2_exchange *x = find(s->nghttp2, id);
    if (x)
        h2_exchange_too_large(x);
    return end_conn(s, "a head far larger than max_header_size");
}

/* Frames that do nothing for a request are limited in number: a sane origin sends few. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct h2_session *s = user;
    if (hd->type == NGHTTP2_PUSH_PROMISE) /* our SETTINGS forbid it, and were sent first */
        return end_conn(s, "a PUSH_PROMISE, although push is disabled");
    if (!is_work(s, hd) && !s->events->on_talk(s->owner))
        return end_conn(s, "a flood of frames that carry nothing");
    if (hd->type == NGHTTP2_HEADERS)
        s->head_frames = s->head_fields = 0;
    s->head_has_no_owner = hd->type == NGHTTP2_HEADERS && !(hd->flags & NGHTTP2_FLAG_END_HEADERS) &&
                           find(session, hd->stream_id) == NULL;
    if (hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION)
        return count_head(s, hd->stream_id, &s->head_frames, hd->length);
    return 0;
}

/* Frames of an unknown type are ignored (RFC 9113 4.1), but counted as above. */
static int on_extension(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd,
                        void *user)
{
    (void)session, (void)payload, (void)hd, (void)user;
    return NGHTTP2_ERR_CANCEL;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    s->head_of = find(session, frame->hd.stream_id);
    if (s->head_of)
        h2_exchange_head_begins(s->head_of);
    return 0;
}

/* Most sections come in one piece, and need not be looked up for each field. */
static struct h2_exchange *owner_of_head(const struct h2_session *s, int32_t id)
{
    return s->head_of && is_open(s->head_of) ? s->head_of : find(s->nghttp2, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct h2_session *s = user;
    (void)session, (void)flags;
    int end = count_head(s, frame->hd.stream_id, &s->head_fields, name_len + value_len);
    struct h2_exchange *x = end ? NULL : owner_of_head(s, frame->hd.stream_id);
    if (x)
        h2_exchange_field(x, (struct span){(const char *)name, name_len},
                          (struct span){(const char *)value, value_len});
    return end;
}

/* The connection's window is given back at once, so that a slow reader stalls only its own
 * stream; the stream's window is given back when the reader has taken the bytes. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    (void)flags;
    (void)user;
    struct h2_exchange *x = find(session, id);
    nghttp2_session_consume_connection(session, len);
    if (x)
        h2_exchange_data(x, (const char *)data, len);
    else
        nghttp2_session_consume_stream(session, id, len);
    return 0;
}

static void on_response_frame(struct h2_session *s, const nghttp2_frame *frame)
{
    struct h2_exchange *x = find(s->nghttp2, frame->hd.stream_id);
    bool is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (x && frame->hd.type == NGHTTP2_HEADERS)
        h2_exchange_head(x, is_last);
    if (x && is_last && is_open(x)) /* it may have given itself up */
        s->events->on_complete(s->owner, x);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA: on_response_frame(s, frame); break;
    case NGHTTP2_RST_STREAM: s->reset_id = frame->hd.stream_id; break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            s->events->on_settings(s->owner);
        break;
    case NGHTTP2_GOAWAY:
        s->got_goaway = true;
        s->events->on_goaway(s->owner, frame->goaway.error_code);
        break;
    default: break;
    }
    return 0;
}

/* Streams above the last id of a GOAWAY end here too, as refused. */
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct h2_session *s = user;
    struct h2_exchange *x = find(session, id);
    bool by_origin = s->reset_id == id || code == NGHTTP2_REFUSED_STREAM;
    s->reset_id = 0;
    if (x)
        s->events->on_closed(s->owner, x, code, by_origin);
    return 0;
}

static int on_error(nghttp2_session *session, int code, const char *words, size_t len, void *user)
{
    struct h2_session *s = user;
    (void)session;
    (void)code;
    (void)len;
    s->events->on_offence(s->owner, words);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
                            void *user)
{
    struct h2_session *s = user;
    (void)session;
    (void)frame;
    s->events->on_offence(s->owner, nghttp2_strerror(code));
    return 0;
}

/* ------------------------------------------------------------------ sending */

static bool is_of_request(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
}

/* For a header section of several frames this is called before the first, and
 * on_frame_send() after the last. DATA is never the first frame of a request. */
static int before_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    struct h2_exchange *x = is_of_request(frame) ? find(session, frame->hd.stream_id) : NULL;
    if (x)
        s->events->on_sending(s->owner, x);
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    if (!is_of_request(frame))
        return 0;
    s->updates_due += 1 + frame->hd.length / UPDATE_BYTES;
    if (frame->hd.type == NGHTTP2_HEADERS)
        s->heads_due += HEADS_PER_RESPONSE;
    struct h2_exchange *x = find(session, frame->hd.stream_id);
    if (x && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        s->events->on_last_sent(s->owner, x);
    return 0;
}

/* A DATA frame fills a TLS record, and does not exceed it by its head: the rest would be a record
 * of its own, with a write of its own. nghttp2 applies the windows. */
static ssize_t choose_length(nghttp2_session *session, uint8_t type, int32_t id,
                             int32_t conn_window, int32_t stream_window, uint32_t frame_max,
                             void *user)
{
    (void)session, (void)type, (void)id, (void)conn_window, (void)stream_window, (void)user;
    return frame_max < RECORD_MAX - FRAME_HEAD ? (ssize_t)frame_max : RECORD_MAX - FRAME_HEAD;
}

/* A request that could not be sent, because of a GOAWAY or because its head is larger than
 * nghttp2 sends: not a byte of it was. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int code,
                             void *user)
{
    struct h2_session *s = user;
    (void)session;
    (void)code;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        s->events->on_unsent(s->owner, frame->hd.stream_id);
    return 0;
}

/* ------------------------------------------------------------------ its life */

static nghttp2_session_callbacks *make_callbacks(void)
{
    nghttp2_session_callbacks *c;
    CHECK(nghttp2_session_callbacks_new(&c) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_unpack_extension_callback(c, on_extension);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_error_callback2(c, on_error);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
    nghttp2_session_callbacks_set_before_frame_send_callback(c, before_frame_send);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_not_send);
    nghttp2_session_callbacks_set_data_source_read_length_callback(c, choose_length);
    return c;
}

static nghttp2_option *make_options(void)
{
    nghttp2_option *o;
    CHECK(nghttp2_option_new(&o) == 0);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_send_header_block_length(o, SEND_HEAD_MAX);
    for (unsigned type = EXTENSION_FIRST; type <= EXTENSION_LAST; type++)
        nghttp2_option_set_user_recv_extension_type(
            o, (uint8_t)type); /* otherwise it is not reported */
    return o;
}

/* No server push; windows for throughput (RFC 9113 6.5.2, 6.9.2). Frames larger than the 16 KiB that
 * any origin may send are welcome: fewer of them cross the end of a TLS record. */
static void submit_settings(nghttp2_session *session, size_t header_limit)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)header_limit},
    };
    CHECK(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings)) == 0);
    CHECK(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW) == 0);
}

void h2_session_init(struct h2_session *s, const struct h2_session_events *events, void *owner,
                     size_t header_limit)
{
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *options = make_options();
    *s = (struct h2_session){
        .events = events, .owner = owner, .header_most = FAR_TOO_LARGE * header_limit};
    CHECK(nghttp2_session_client_new3(&s->nghttp2, callbacks, s, options, h2_memory()) == 0);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    submit_settings(s->nghttp2, header_limit);
}

void h2_session_free(struct h2_session *s)
{
    nghttp2_session_del(s->nghttp2);
}

/* After an offence nghttp2 queues a GOAWAY by itself, and opens no more streams. */
static bool is_terminated(const struct h2_session *s)
{
    return !s->got_goaway && !h2_session_takes_more(s) &&
           nghttp2_session_get_next_stream_id(s->nghttp2) <= INT32_MAX;
}

/* nghttp2 does not report the CONTINUATIONs of a header section that it ignores: until the
 * next frame begins, all bytes belong to them. */
static ssize_t receive(struct h2_session *s, const char *data, size_t len)
{
    bool had_no_owner = s->head_has_no_owner;
    s->head_of = NULL;
    ssize_t n = nghttp2_session_mem_recv(s->nghttp2, (const uint8_t *)data, len);
    if (n < 0 || !had_no_owner || !s->head_has_no_owner)
        return n;
    int end = count_head(s, 0, &s->head_frames, len);
    return end ? end : n;
}

bool h2_session_feed(struct h2_session *s, const char *data, size_t len)
{
    ssize_t n = receive(s, data, len);
    if (n >= 0)
        return !is_terminated(s);
    s->events->on_offence(s->owner, s->flood ? s->flood : nghttp2_strerror((int)n));
    if (s->flood)
        nghttp2_session_terminate_session(s->nghttp2, NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
}

size_t h2_session_drain(struct h2_session *s, const char **data)
{
    const uint8_t *at = NULL;
    ssize_t n = nghttp2_session_mem_send(s->nghttp2, &at);
    CHECK(n != NGHTTP2_ERR_NOMEM);
    *data = (const char *)at;
    return n > 0 ? (size_t)n : 0;
}

bool h2_session_is_over(const struct h2_session *s)
{
    return !nghttp2_session_want_read(s->nghttp2) && !nghttp2_session_want_write(s->nghttp2);
}

bool h2_session_wants_drain(const struct h2_session *s)
{
    return nghttp2_session_want_write(s->nghttp2) || !nghttp2_session_want_read(s->nghttp2);
}

size_t h2_session_allowed(const struct h2_session *s)
{
    return nghttp2_session_get_remote_settings(s->nghttp2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool h2_session_takes_more(const struct h2_session *s)
{
    return nghttp2_session_check_request_allowed(s->nghttp2);
}
