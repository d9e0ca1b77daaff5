#include "net/proxy_hello.h"

#include <stdio.h>

#include "base/duration.h"
#include "net/proxy_connect.h"
#include "net/socks5.h"
#include "net/stream_uv.h"

#define MAGIC 0x70786865

struct proxy_hello {
    unsigned magic;
    struct stream *stream;
    bool is_socks5;
    union {
        struct hello hello; /* what both begin with */
        struct socks5 socks5;
        struct proxy_connect connect;
    } by;
    uint64_t timeout_ms;
    struct deadline limit;
    const struct proxy_hello_events *events;
    void *owner;
};

static struct proxy_hello *self(void *owner)
{
    struct proxy_hello *p = owner;
    MAGIC_CHECK(p, MAGIC);
    return p;
}

/* ------------------------------------------------------------------------ its end */

/* The secrets go with it. */
static void free_hello(struct proxy_hello *p)
{
    deadline_stop(&p->limit);
    explicit_bzero(p->by.hello.out, sizeof p->by.hello.out);
    p->magic = 0;
    free(p);
}

void proxy_hello_cancel(struct proxy_hello *p)
{
    MAGIC_CHECK(p, MAGIC);
    stream_close(p->stream);
    free_hello(p);
}

static void refuse(struct proxy_hello *p, enum failure why, const char *detail)
{
    const struct proxy_hello_events *events = p->events;
    void *owner = p->owner;
    char words[sizeof p->by.hello.detail];
    snprintf(words, sizeof words, "%s", detail);
    proxy_hello_cancel(p);
    events->on_refused(owner, why, words);
}

static void open_up(struct proxy_hello *p, struct span rest)
{
    const struct proxy_hello_events *events = p->events;
    void *owner = p->owner;
    struct stream *stream = p->stream;
    stream_pause(stream);
    stream_bind(stream, NULL, NULL);
    stream_uv_unread(stream, rest.at, rest.len);
    free_hello(p);
    events->on_open(owner, stream);
}

static void on_limit(struct deadline *d)
{
    struct proxy_hello *p = self(container_of(d, struct proxy_hello, limit));
    char duration[DURATION_TEXT_SIZE], words[80];
    snprintf(words, sizeof words, "no answer from the proxy within %s",
             duration_text(duration, p->timeout_ms));
    refuse(p, FAILURE_CONNECTION_TIMEOUT, words);
}

/* ---------------------------------------------------------------------- speaking */

static void speak(struct proxy_hello *p)
{
    uv_buf_t piece = uv_buf_init(p->by.hello.out, (unsigned)p->by.hello.out_len);
    stream_write(p->stream, &piece, 1);
}

static enum hello_step feed(struct proxy_hello *p, struct span data, size_t *used)
{
    return p->is_socks5 ? socks5_feed(&p->by.socks5, data, used)
                        : proxy_connect_feed(&p->by.connect, data, used);
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct proxy_hello *p = self(owner);
    struct span rest = {data, len};
    enum hello_step step = HELLO_MORE;
    while (rest.len && (step == HELLO_MORE || step == HELLO_WRITE)) {
        size_t used;
        step = feed(p, rest, &used);
        rest = span_from(rest, used);
        if (step == HELLO_WRITE)
            speak(p);
    }
    if (step == HELLO_OPEN)
        open_up(p, rest);
    else if (step == HELLO_REFUSED)
        refuse(p, p->by.hello.why, p->by.hello.detail);
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    char words[120];
    snprintf(words, sizeof words, "the proxy closed the connection before it answered%s%s",
             how == STREAM_EOF ? "" : ": ", how == STREAM_EOF ? "" : why);
    refuse(self(owner), FAILURE_CONNECTION_TERMINATED, words);
}

static void on_drain(void *owner)
{
    (void)owner;
}

struct proxy_hello *proxy_hello_start(struct loop *loop, struct stream *stream,
                                      const struct config_exit *exit,
                                      const struct hello_target *target, uint64_t timeout_ms,
                                      const struct proxy_hello_events *events, void *owner)
{
    static const struct stream_events stream_events = {on_data, on_end, on_drain};
    struct proxy_hello *p = NEW(struct proxy_hello);
    MAGIC_INIT(p, MAGIC);
    p->stream = stream;
    p->is_socks5 = exit->kind == EXIT_SOCKS5;
    p->timeout_ms = timeout_ms;
    p->events = events;
    p->owner = owner;
    deadline_init(&p->limit, loop, on_limit);
    if (p->is_socks5)
        socks5_init(&p->by.socks5, exit->user, exit->password, target);
    else
        proxy_connect_init(&p->by.connect, exit->user, exit->password, target);
    stream_bind(stream, &stream_events, p);
    speak(p);
    stream_resume(stream);
    deadline_in(&p->limit, timeout_ms);
    return p;
}
