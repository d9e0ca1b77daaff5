#include "protocol/h2_session.h"

#define FRAME_MAX (64 * 1024)         /* fewer frames to a large body; a read of the stream's */
#define LINE_WINDOW (8 * 1024 * 1024) /* of all streams together; given back at once */
#define SEND_HEAD_MAX (1024 * 1024)
#define UPDATE_BYTES 128   /* of a body: for each so many it may widen a window once */
#define FIELD_COST 32      /* what RFC 9113 6.5.2 adds to a field's name and value */
#define FAR_TOO_LARGE 4    /* times the SETTINGS_MAX_HEADER_LIST_SIZE that the origin was told */
#define HEADS_PER_ANSWER 2 /* a head and trailers */
#define EXTENSION_FIRST 0x0a
#define EXTENSION_LAST 0xff

static struct h2_exchange *find(nghttp2_session *session, int32_t id)
{
    return id > 0 ? h2_exchange_find(session, id) : NULL;
}

/* ------------------------------------------------------------------ hearing */

/* A stream that we have opened, be it closed by now. */
static bool is_ours(const struct h2_session *s, int32_t id)
{
    return id % 2 == 1 && (uint32_t)id < nghttp2_session_get_next_stream_id(s->nghttp2);
}

/* Heads and bodies, their ends, and the windows of what we send, are what a line is
 * for. Many an origin ends each answer with an empty frame (RFC 9113 8.1). A head that
 * nobody waits for any more was on its way when its stream was reset. */
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

/* Ends the line, and says why. */
static int end_line(struct h2_session *s, const char *words)
{
    s->flood = words;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A stream's header blocks have to be decoded to their ends whatever they hold, for the
 * line shares one table (RFC 9113 4.3); and a byte of them may stand for all that the
 * table holds. So a head that is somewhat too large costs its exchange alone, and one
 * that is far too large the line, be it an answer's, trailers, or nobody's. */
static int count_head(struct h2_session *s, int32_t id, size_t *of, size_t len)
{
    *of += len + FIELD_COST;
    if (*of <= s->header_most)
        return 0;
    struct h2_exchange *x = find(s->nghttp2, id);
    if (x)
        h2_exchange_too_large(x);
    return end_line(s, "a head far larger than max_header_size");
}

/* All else is talk, which a sound origin is sparing with. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct h2_session *s = user;
    if (hd->type == NGHTTP2_PUSH_PROMISE) /* our SETTINGS went ahead of any request */
        return end_line(s, "a PUSH_PROMISE, though it was told that none are taken");
    if (!is_work(s, hd) && !s->events->on_talk(s->line))
        return end_line(s, "a flood of frames that carry nothing");
    if (hd->type == NGHTTP2_HEADERS)
        s->head_frames = s->head_fields = 0;
    s->head_is_nobodys = hd->type == NGHTTP2_HEADERS && !(hd->flags & NGHTTP2_FLAG_END_HEADERS) &&
                         find(session, hd->stream_id) == NULL;
    if (hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION)
        return count_head(s, hd->stream_id, &s->head_frames, hd->length);
    return 0;
}

/* RFC 9113 4.1: frames of an unknown type are ignored; but counted, as above. */
static int on_extension(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd,
                        void *user)
{
    (void)session, (void)payload, (void)hd, (void)user;
    return NGHTTP2_ERR_CANCEL;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)user;
    struct h2_exchange *x = find(session, frame->hd.stream_id);
    if (x)
        h2_exchange_head_begins(x);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct h2_session *s = user;
    (void)flags;
    int end = count_head(s, frame->hd.stream_id, &s->head_fields, name_len + value_len);
    struct h2_exchange *x = end ? NULL : find(session, frame->hd.stream_id);
    if (x)
        h2_exchange_field(x, (struct span){(const char *)name, name_len},
                          (struct span){(const char *)value, value_len});
    return end;
}

/* The line's window is given back at once, so that a slow asker stalls no stream
 * but his own; that of his stream when he has taken it. */
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

static void on_answer_frame(struct h2_session *s, const nghttp2_frame *frame)
{
    struct h2_exchange *x = find(s->nghttp2, frame->hd.stream_id);
    bool is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (x && frame->hd.type == NGHTTP2_HEADERS)
        h2_exchange_head(x, is_last);
    x = find(s->nghttp2, frame->hd.stream_id); /* it may have left */
    if (x && is_last)
        s->events->on_complete(s->line, x);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA: on_answer_frame(s, frame); break;
    case NGHTTP2_RST_STREAM: s->reset_id = frame->hd.stream_id; break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            s->events->on_settings(s->line);
        break;
    case NGHTTP2_GOAWAY:
        s->leaving = true;
        s->events->on_goaway(s->line, frame->goaway.error_code);
        break;
    default: break;
    }
    return 0;
}

/* Also those above a GOAWAY's last id end here, as refused. */
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct h2_session *s = user;
    struct h2_exchange *x = find(session, id);
    bool by_origin = s->reset_id == id || code == NGHTTP2_REFUSED_STREAM;
    s->reset_id = 0;
    if (x)
        s->events->on_closed(s->line, x, code, by_origin);
    return 0;
}

static int on_error(nghttp2_session *session, int code, const char *words, size_t len, void *user)
{
    struct h2_session *s = user;
    (void)session;
    (void)code;
    (void)len;
    s->events->on_offence(s->line, words);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
                            void *user)
{
    struct h2_session *s = user;
    (void)session;
    (void)frame;
    s->events->on_offence(s->line, nghttp2_strerror(code));
    return 0;
}

/* ------------------------------------------------------------------ sending */

static bool is_of_request(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
}

/* A head that needs several frames is told of here, before the first of them; its end,
 * below, behind the last. DATA is never first. */
static int before_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    struct h2_exchange *x = is_of_request(frame) ? find(session, frame->hd.stream_id) : NULL;
    if (x)
        s->events->on_sending(s->line, x);
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_session *s = user;
    if (!is_of_request(frame))
        return 0;
    s->updates_due += 1 + frame->hd.length / UPDATE_BYTES;
    if (frame->hd.type == NGHTTP2_HEADERS)
        s->heads_due += HEADS_PER_ANSWER;
    struct h2_exchange *x = find(session, frame->hd.stream_id);
    if (x && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        s->events->on_last_sent(s->line, x);
    return 0;
}

/* A request that could not go out, for the origin is leaving or its head is
 * larger than a session may send: not a byte of it left. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int code,
                             void *user)
{
    struct h2_session *s = user;
    (void)session;
    (void)code;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        s->events->on_unsent(s->line, frame->hd.stream_id);
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
        nghttp2_option_set_user_recv_extension_type(o, (uint8_t)type); /* or it is not told of */
    return o;
}

/* No push; windows for throughput (RFC 9113 6.5.2, 6.9.2). */
static void greet(nghttp2_session *session, size_t header_limit)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)header_limit},
    };
    CHECK(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings)) == 0);
    CHECK(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, LINE_WINDOW) == 0);
}

void h2_session_init(struct h2_session *s, const struct h2_session_events *events, void *line,
                     size_t header_limit)
{
    nghttp2_session_callbacks *callbacks = make_callbacks();
    nghttp2_option *options = make_options();
    *s = (struct h2_session){
        .events = events, .line = line, .header_most = FAR_TOO_LARGE * header_limit};
    CHECK(nghttp2_session_client_new2(&s->nghttp2, callbacks, s, options) == 0);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    greet(s->nghttp2, header_limit);
}

void h2_session_free(struct h2_session *s)
{
    nghttp2_session_del(s->nghttp2);
}

/* To an offence nghttp2 queues a GOAWAY by itself, and opens nothing any more. */
static bool is_terminated(const struct h2_session *s)
{
    return !s->leaving && !h2_session_takes_more(s) &&
           nghttp2_session_get_next_stream_id(s->nghttp2) <= INT32_MAX;
}

/* nghttp2 does not tell of the CONTINUATIONs of a head that it makes nothing of: until
 * the next frame begins, all that comes is theirs. */
static ssize_t receive(struct h2_session *s, const char *data, size_t len)
{
    bool was_nobodys = s->head_is_nobodys;
    ssize_t n = nghttp2_session_mem_recv(s->nghttp2, (const uint8_t *)data, len);
    if (n < 0 || !was_nobodys || !s->head_is_nobodys)
        return n;
    int end = count_head(s, 0, &s->head_frames, len);
    return end ? end : n;
}

bool h2_session_feed(struct h2_session *s, const char *data, size_t len)
{
    ssize_t n = receive(s, data, len);
    if (n >= 0)
        return !is_terminated(s);
    s->events->on_offence(s->line, s->flood ? s->flood : nghttp2_strerror((int)n));
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

size_t h2_session_allowed(const struct h2_session *s)
{
    return nghttp2_session_get_remote_settings(s->nghttp2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool h2_session_takes_more(const struct h2_session *s)
{
    return nghttp2_session_check_request_allowed(s->nghttp2);
}
