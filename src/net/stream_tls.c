#include "net/stream_tls.h"

#include <mbedtls/error.h>
#include <stdio.h>
#include <string.h>

#include "base/rare.h"
#include "base/state.h"
#include "net/tls_handshake.h"

#define MAGIC 0x73746c73
#define RECORD_SIZE MBEDTLS_SSL_OUT_CONTENT_LEN
#define RECORD_HEAD 5 /* type, version, length (RFC 8446 5.1) */

/* FAILED: the failure of the handshake was reported to the owner. CLOSED: by its owner; the stream
 * is freed once no step of the handshake is with the worker. */
#define STREAM_TLS_STATES(S)                                                                       \
    S(TLS_HANDSHAKING, "handshaking", TO(TLS_FAILED) | TO(TLS_SECURED) | TO(TLS_CLOSED))           \
    S(TLS_FAILED, "failed", TO(TLS_CLOSED))                                                        \
    S(TLS_SECURED, "secured", TO(TLS_CLOSED))                                                      \
    S(TLS_CLOSED, "closed", 0)
STATE_TYPE(stream_tls, STREAM_TLS_STATES)

struct stream_tls {
    struct stream base;
    unsigned magic;
    enum stream_tls_state state;
    bool paused;
    bool full;         /* a write returned false, so on_drain is due */
    bool over;         /* nothing more will be read; how it ended is below */
    bool end_reported; /* on_end was called */
    bool broken;       /* nothing more may be written */
    bool lower_over;   /* the stream below ended, as said below */
    bool unsettled;    /* mbedTLS may have something for us without more input */
    struct loop *loop;
    struct worker *worker;
    struct stream *lower;
    struct tls_handshake handshake;
    struct job step;
    struct task task; /* reads on after a resume; frees when closed */
    const struct tls_events *events;
    void *owner;
    uint64_t begun_us;
    const char *at; /* ciphertext borrowed from the stream below */
    size_t left;
    struct buf kept; /* ciphertext received before `at` that could not be used yet */
    size_t head_got, body_left, body_len; /* of the record of which mbedTLS has a part */
    enum stream_end end, lower_end;
    char why[160], lower_why[80];
};

/* Shared by all streams: there is one loop in one thread, and every call that fills these buffers
 * empties them before it returns. Several records are passed to the owner at once, since each
 * on_data may cost it a system call. */
static unsigned char plain[LOOP_READ_SIZE];
static unsigned char gather[RECORD_SIZE];

_Static_assert(offsetof(struct stream_tls, base) == 0, "self() takes either");

static struct stream_tls *self(void *object)
{
    struct stream_tls *s = object;
    MAGIC_CHECK(s, MAGIC);
    return s;
}

static void enter(struct stream_tls *s, enum stream_tls_state to)
{
    STATE_ENTER(stream_tls, &s->state, to, "tls", 0);
}

static void release(struct stream_tls *s)
{
    tls_handshake_free(&s->handshake);
    buf_clear(&s->kept);
    s->magic = 0;
    free(s);
}

/* ------------------------------------------------------------------- reading */

/* Ends the read side. The end is reported once everything received before it has been passed to the
 * owner. */
static void finish(struct stream_tls *s, enum stream_end how, const char *why)
{
    if (s->over)
        return;
    s->over = true;
    s->end = how;
    snprintf(s->why, sizeof s->why, "%s", why);
    if (how == STREAM_RESET)
        s->broken = true;
}

static void finish_by_error(struct stream_tls *s, int error)
{
    char words[160];
    mbedtls_strerror(error, words, sizeof words);
    if (error == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        finish(s, STREAM_EOF, "close_notify");
    else
        finish(s, STREAM_RESET, words);
}

static void finish_by_lower(struct stream_tls *s)
{
    if (s->lower_end == STREAM_RESET)
        finish(s, STREAM_RESET, s->lower_why);
    else {
        rare_note(RARE_TLS_CUT);
        finish(s, STREAM_CUT, "closed without close_notify");
    }
}

/* mbedTLS does not report whether it holds part of a record, so bytes are counted here, starting at
 * the end of the handshake, which is the end of a record. */
static void measure_records(struct stream_tls *s, const unsigned char *data, size_t len)
{
    while (len) {
        size_t n = s->body_left < len ? s->body_left : len;
        s->body_left -= n;
        data += n;
        len -= n;
        if (len == 0)
            break;
        s->body_len = (s->body_len << 8 | *data++) & 0xffff; /* the last two bytes of the head */
        len--;
        if (++s->head_got == RECORD_HEAD) {
            s->body_left = s->body_len;
            s->head_got = 0;
        }
    }
}

static bool is_within_record(const struct stream_tls *s)
{
    return s->head_got > 0 || s->body_left > 0;
}

static int on_receive(void *context, unsigned char *to, size_t size)
{
    struct stream_tls *s = self(context);
    const char *at = s->at;
    size_t len = s->kept.size ? buf_front(&s->kept, &at) : s->left;
    if (len == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    len = len < size ? len : size;
    memcpy(to, at, len);
    if (s->kept.size) {
        buf_consume(&s->kept, len);
    } else {
        s->at += len;
        s->left -= len;
    }
    measure_records(s, to, len);
    return (int)len;
}

static size_t input_left(const struct stream_tls *s)
{
    return s->kept.size + s->left;
}

/* Decrypts until `plain` is full, no input is left, or the stream ends. mbedTLS also returns
 * WANT_READ after a message that was not data, and parses a ticket only in the next call: therefore
 * the loop stops only after a call that consumed nothing, or after data that it was the last of. */
static size_t decrypt(struct stream_tls *s)
{
    mbedtls_ssl_context *ssl = &s->handshake.ssl;
    size_t got = 0;
    while (got < sizeof plain && !s->over && (s->unsettled || input_left(s))) {
        size_t left = input_left(s);
        int n = mbedtls_ssl_read(ssl, plain + got, sizeof plain - got);
        s->unsettled = n > 0 ? mbedtls_ssl_check_pending(ssl) : n != MBEDTLS_ERR_SSL_WANT_READ;
        if (n > 0)
            got += (size_t)n;
        else if (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
            tls_handshake_keep_ticket(&s->handshake);
        else if (n != MBEDTLS_ERR_SSL_WANT_READ)
            finish_by_error(s, n ? n : MBEDTLS_ERR_SSL_CONN_EOF);
        else if (input_left(s) == left)
            break;
        else
            s->unsettled = true;
    }
    return got;
}

static void tell_end(struct stream_tls *s)
{
    s->end_reported = true;
    s->base.events->on_end(s->base.owner, s->end, s->why);
}

static void read_on(struct stream_tls *s)
{
    while (s->state == TLS_SECURED && !s->paused && !s->end_reported) {
        size_t got = s->over ? 0 : decrypt(s);
        if (got == 0 && s->lower_over)
            finish_by_lower(s);
        if (got)
            s->base.events->on_data(s->base.owner, (const char *)plain, got);
        else if (s->over)
            tell_end(s);
        else
            return;
    }
}

static void run_task(struct task *task)
{
    struct stream_tls *s = self(container_of(task, struct stream_tls, task));
    if (s->state == TLS_CLOSED)
        release(s);
    else
        read_on(s);
}

/* ----------------------------------------------------------------- handshake */

static void step(struct job *job)
{
    tls_handshake_step(&container_of(job, struct stream_tls, step)->handshake);
}

static void fail(struct stream_tls *s, enum failure why, const char *words)
{
    enter(s, TLS_FAILED);
    tls_handshake_settle(&s->handshake);
    s->events->on_failed(s->owner, &s->base, why, words);
}

static void fail_by_lower(struct stream_tls *s)
{
    char words[160];
    if (s->lower_end == STREAM_RESET)
        snprintf(words, sizeof words, "%s during the TLS handshake", s->lower_why);
    else
        snprintf(words, sizeof words, "%s closed during the TLS handshake", s->handshake.peer);
    fail(s, FAILURE_CONNECTION_TERMINATED, words);
}

static void fail_by_step(struct stream_tls *s)
{
    char words[200];
    enum failure why = tls_handshake_explain(&s->handshake, words, sizeof words);
    fail(s, why, words);
}

static int on_send(void *context, const unsigned char *data, size_t len)
{
    struct stream_tls *s = self(context);
    uv_buf_t piece = uv_buf_init((char *)data, (unsigned)len);
    stream_write(s->lower, &piece, 1);
    return (int)len;
}

/* From here on mbedTLS reads and writes on the loop. Data received after the handshake waits until
 * the owner has bound and resumed the stream. */
static void secure(struct stream_tls *s)
{
    struct tls_handshake *h = &s->handshake;
    struct tls_report report = {
        .version = mbedtls_ssl_get_version(&h->ssl),
        .alpn = mbedtls_ssl_get_alpn_protocol(&h->ssl),
        .resumed = tls_handshake_is_resumed(h),
        .handshake_us = loop_clock_us(s->loop) - s->begun_us,
        .valid_from_s = h->chain.valid_from_s,
        .valid_until_s = h->chain.valid_until_s,
    };
    tls_handshake_settle(h);
    mbedtls_ssl_set_bio(&h->ssl, s, on_send, on_receive, NULL);
    s->kept = h->in;
    h->in = (struct buf){0};
    s->unsettled = true; /* what came with the end of the handshake */
    enter(s, TLS_SECURED);
    s->events->on_secured(s->owner, &s->base, &report);
}

static void flush(struct stream_tls *s)
{
    struct buf *out = &s->handshake.out;
    const char *at;
    size_t len;
    while ((len = buf_front(out, &at)) > 0) {
        on_send(s, (const unsigned char *)at, len);
        buf_consume(out, len);
    }
}

static void step_done(struct job *job)
{
    struct stream_tls *s = self(container_of(job, struct stream_tls, step));
    if (s->state == TLS_CLOSED) {
        release(s);
        return;
    }
    flush(s);
    if (s->handshake.result == 0)
        secure(s);
    else if (s->handshake.result != MBEDTLS_ERR_SSL_WANT_READ)
        fail_by_step(s);
    else if (s->lower_over)
        fail_by_lower(s);
    else
        stream_resume(s->lower);
}

static bool is_stepping(const struct stream_tls *s)
{
    return s->step.running || s->step.link.on;
}

/* The stream below is paused while a step runs, so that nothing else accesses the handshake. */
static void step_later(struct stream_tls *s)
{
    stream_pause(s->lower);
    worker_submit(s->worker, &s->step);
}

/* -------------------------------------------------------- events from below */

static void use(struct stream_tls *s, const char *data, size_t len)
{
    s->at = data;
    s->left = len;
    read_on(s);
    if (s->left && s->state == TLS_SECURED && !s->over)
        buf_append(&s->kept, s->at, s->left);
    s->left = 0;
}

static void on_lower_data(void *owner, const char *data, size_t len)
{
    struct stream_tls *s = self(owner);
    if (s->state == TLS_HANDSHAKING) {
        CHECK(!is_stepping(s));
        buf_append(&s->handshake.in, data, len);
        step_later(s);
    } else if (s->state == TLS_SECURED && !s->over) {
        use(s, data, len);
    }
}

static void on_lower_end(void *owner, enum stream_end how, const char *why)
{
    struct stream_tls *s = self(owner);
    s->lower_over = true;
    s->lower_end = how;
    snprintf(s->lower_why, sizeof s->lower_why, "%s", why);
    if (s->state == TLS_SECURED)
        read_on(s);
    else if (s->state == TLS_HANDSHAKING && !is_stepping(s))
        fail_by_lower(s);
}

static void on_lower_drain(void *owner)
{
    struct stream_tls *s = self(owner);
    if (!s->full)
        return;
    s->full = false;
    s->base.events->on_drain(s->base.owner);
}

static const struct stream_events lower_events = {
    .on_data = on_lower_data,
    .on_end = on_lower_end,
    .on_drain = on_lower_drain,
};

/* ---------------------------------------------------------------- operations */

static void encrypt(struct stream_tls *s, const void *data, size_t len)
{
    const unsigned char *at = data;
    while (len && !s->broken) {
        int n = mbedtls_ssl_write(&s->handshake.ssl, at, len);
        if (n <= 0) {
            finish_by_error(s, n);
            loop_defer(s->loop, &s->task);
            return;
        }
        at += n;
        len -= (size_t)n;
    }
}

/* Uses as few records as possible, since each is a write to the stream below: small pieces are
 * gathered, and full records are encrypted directly from large pieces. */
static void encrypt_all(struct stream_tls *s, const uv_buf_t *pieces, size_t count)
{
    size_t gathered = 0;
    for (size_t i = 0; i < count; i++) {
        const char *at = pieces[i].base;
        for (size_t left = pieces[i].len, n; left; at += n, left -= n) {
            if (gathered == 0 && left >= RECORD_SIZE) {
                n = RECORD_SIZE;
                encrypt(s, at, n);
                continue;
            }
            n = left < RECORD_SIZE - gathered ? left : RECORD_SIZE - gathered;
            memcpy(gather + gathered, at, n);
            gathered += n;
            if (gathered == RECORD_SIZE) {
                encrypt(s, gather, gathered);
                gathered = 0;
            }
        }
    }
    encrypt(s, gather, gathered);
}

static bool tls_write(struct stream *base, const uv_buf_t *pieces, size_t count)
{
    struct stream_tls *s = self(base);
    CHECK(s->state == TLS_SECURED);
    encrypt_all(s, pieces, count);
    s->full |= stream_queued(base) > STREAM_HIGH;
    return !s->full;
}

static void tls_shutdown(struct stream *base)
{
    struct stream_tls *s = self(base);
    CHECK(s->state == TLS_SECURED);
    if (!s->broken)
        mbedtls_ssl_close_notify(&s->handshake.ssl);
    s->broken = true;
    stream_shutdown(s->lower);
}

static void tls_pause(struct stream *base)
{
    struct stream_tls *s = self(base);
    if (s->state != TLS_SECURED || s->paused)
        return;
    s->paused = true;
    stream_pause(s->lower);
}

static void tls_resume(struct stream *base)
{
    struct stream_tls *s = self(base);
    if (s->state != TLS_SECURED || !s->paused)
        return;
    CHECK(base->events != NULL);
    s->paused = false;
    stream_resume(s->lower);
    loop_defer(s->loop, &s->task);
}

static bool tls_is_quiet(struct stream *base, uint64_t within_us)
{
    struct stream_tls *s = self(base);
    return s->state == TLS_SECURED && !s->over && !s->lower_over && s->kept.size == 0 &&
           s->left == 0 && !is_within_record(s) &&
           mbedtls_ssl_get_bytes_avail(&s->handshake.ssl) == 0 &&
           stream_is_quiet(s->lower, within_us);
}

static bool tls_is_broken(struct stream *base)
{
    struct stream_tls *s = self(base);
    return s->broken || s->lower_over || stream_is_broken(s->lower);
}

static void tls_close(struct stream *base, bool reset)
{
    struct stream_tls *s = self(base);
    if (s->state == TLS_CLOSED)
        return;
    if (s->state == TLS_SECURED && !s->broken && !reset && stream_queued(base) == 0)
        mbedtls_ssl_close_notify(&s->handshake.ssl);
    s->base.taken = stream_taken(base);
    s->base.written = stream_written(base);
    s->base.below = NULL;
    enter(s, TLS_CLOSED);
    base->events = NULL;
    s->lower->ops->close(s->lower, reset);
    s->lower = NULL;
    if (worker_forget(s->worker, &s->step))
        loop_defer(s->loop, &s->task); /* otherwise step_done() frees it */
}

static const struct stream_ops ops = {
    .write = tls_write,
    .shutdown = tls_shutdown,
    .pause = tls_pause,
    .resume = tls_resume,
    .is_quiet = tls_is_quiet,
    .is_broken = tls_is_broken,
    .close = tls_close,
};

static struct stream_tls *begin(struct loop *loop, struct worker *worker,
                                struct tls_context *context, struct stream *lower, const char *name,
                                const char *const *alpn, const struct tls_events *events,
                                void *owner)
{
    struct stream_tls *s = NEW(struct stream_tls);
    MAGIC_INIT(s, MAGIC);
    s->base.ops = &ops;
    s->paused = true;
    s->loop = loop;
    s->worker = worker;
    s->lower = s->base.below = lower;
    s->events = events;
    s->owner = owner;
    s->begun_us = loop_clock_us(s->loop);
    tls_handshake_init(&s->handshake, context, name, alpn);
    s->step = (struct job){.work = step, .done = step_done};
    task_init(&s->task, run_task);
    stream_bind(lower, &lower_events, s);
    return s;
}

struct stream *stream_tls_open(struct loop *loop, struct worker *worker,
                               struct tls_context *context, struct stream *lower, const char *name,
                               const char *const *alpn, const struct tls_events *events,
                               void *owner)
{
    struct stream_tls *s = begin(loop, worker, context, lower, name, alpn, events, owner);
    step_later(s);
    return &s->base;
}

/* A server does nothing until the client has sent something, and its steps yield to those of
 * handshakes with origins, on which other requests wait. */
struct stream *stream_tls_accept(struct loop *loop, struct worker *worker,
                                 struct tls_context *context, struct stream *lower,
                                 struct span first, const char *const *alpn,
                                 const struct tls_events *events, void *owner)
{
    struct stream_tls *s = begin(loop, worker, context, lower, NULL, alpn, events, owner);
    s->step.yields = true;
    buf_append(&s->handshake.in, first.at, first.len);
    if (first.len)
        step_later(s);
    else
        stream_resume(lower);
    return &s->base;
}

bool stream_tls_may_be_older(struct stream *base)
{
    struct stream_tls *s = self(base);
    CHECK(s->state == TLS_FAILED);
    return s->handshake.may_be_older;
}
