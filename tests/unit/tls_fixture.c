#include "tls_fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------ origins */

struct origin origins[40];
static size_t origin_count;
static char dir[] = "/tmp/check_tls.XXXXXX";
static FILE *from_origins;
static int to_origins;
static pid_t origins_pid;

static const char *script(void)
{
    static char path[4096];
    const char *srcdir = getenv("srcdir");
    char here[] = __FILE__;
    const char *places[] = {dirname(here), srcdir ? srcdir : "."};
    const char *inside[] = {"", "tests/unit/"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%stls_origin.py", places[i / 2], inside[i % 2]);
        if (access(path, R_OK) == 0)
            break;
    }
    return path;
}

void start_origins(void)
{
    int in[2], out[2];
    CHECK(mkdtemp(dir) && pipe(in) == 0 && pipe(out) == 0);
    if ((origins_pid = fork()) == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execlp("python3", "python3", script(), dir, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to_origins = in[1];
    from_origins = fdopen(out[0], "r");
    struct origin *o = origins;
    while (fscanf(from_origins, "%31s", o->name) == 1 && strcmp(o->name, "ready") != 0) {
        CHECK(fscanf(from_origins, "%d", &o->port) == 1);
        o++;
    }
    origin_count = (size_t)(o - origins);
    CHECK(origin_count > 20);
}

void stop_origins(void)
{
    char command[64];
    close(to_origins);
    waitpid(origins_pid, NULL, 0);
    fclose(from_origins);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK(system(command) == 0);
}

static int port_of(const char *name)
{
    for (size_t i = 0; i < origin_count; i++)
        if (strcmp(origins[i].name, name) == 0)
            return origins[i].port;
    ck_abort_msg("no origin %s", name);
}

const char *file(const char *name)
{
    static char paths[4][64];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

/* ------------------------- a stream between TLS and TCP that holds bytes and counts */

static struct tap *tap_self(struct stream *s)
{
    return container_of(s, struct tap, base);
}

static bool tap_write(struct stream *s, const uv_buf_t *pieces, size_t count)
{
    struct tap *t = tap_self(s);
    t->writes++;
    if (t->is_dead)
        return true;
    bool ok = stream_write(t->inner, pieces, count);
    s->taken = t->inner->taken;
    s->queued = t->inner->queued;
    return ok;
}

static void tap_shutdown(struct stream *s)
{
    stream_shutdown(tap_self(s)->inner);
}

static void tap_pause(struct stream *s)
{
    stream_pause(tap_self(s)->inner);
}

static void tap_resume(struct stream *s)
{
    stream_resume(tap_self(s)->inner);
}

static bool tap_is_quiet(struct stream *s, uint64_t within_us)
{
    return stream_is_quiet(tap_self(s)->inner, within_us);
}

static bool tap_is_broken(struct stream *s)
{
    return stream_is_broken(tap_self(s)->inner);
}

static void tap_close(struct stream *s, bool reset)
{
    struct stream *inner = tap_self(s)->inner;
    inner->ops->close(inner, reset);
}

static const struct stream_ops tap_ops = {
    .write = tap_write,
    .shutdown = tap_shutdown,
    .pause = tap_pause,
    .resume = tap_resume,
    .is_quiet = tap_is_quiet,
    .is_broken = tap_is_broken,
    .close = tap_close,
};

static void tap_on_data(void *owner, const char *data, size_t len)
{
    struct tap *t = owner;
    if (t->holds)
        text_add(&t->held, (struct span){data, len});
    else
        t->base.events->on_data(t->base.owner, data, len);
}

void tap_pass(struct tap *t, size_t at)
{
    char byte = t->held.at[at];
    t->base.events->on_data(t->base.owner, &byte, 1);
}

static void tap_on_end(void *owner, enum stream_end how, const char *why)
{
    struct tap *t = owner;
    t->base.events->on_end(t->base.owner, how, why);
}

static void tap_on_drain(void *owner)
{
    struct tap *t = owner;
    t->base.taken = t->inner->taken;
    t->base.queued = t->inner->queued;
    t->base.events->on_drain(t->base.owner);
}

static const struct stream_events tap_events = {tap_on_data, tap_on_end, tap_on_drain};

/* --------------------------------------------------------------------- lines */

struct loop *loop;
static struct worker *worker;
struct tls_context *context;
static const char *const http1[] = {"http/1.1", NULL};

void close_line(struct line *l)
{
    if (!l->is_closed)
        stream_close(l->tls);
    l->is_closed = true;
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct line *l = owner;
    ck_assert(!l->is_closed && !l->ended);
    for (size_t i = 0; i < len; i++, l->got++) {
        l->sum = l->sum * 31 + (unsigned char)data[i];
        if (l->got < sizeof l->first - 1)
            l->first[l->got] = data[i];
    }
    if (l->closes_inside)
        close_line(l);
    else if (l->pauses_inside) {
        l->pauses++;
        stream_pause(l->tls);
    }
}

static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct line *l = owner;
    ck_assert(!l->ended && !l->is_closed);
    l->ended = true;
    l->how = how;
    snprintf(l->why, sizeof l->why, "%s", why);
}

static void on_drain(void *owner)
{
    ((struct line *)owner)->drains++;
}

static const struct stream_events line_events = {on_data, on_end, on_drain};

static void on_secured(void *owner, struct stream *s, const struct tls_report *report)
{
    struct line *l = owner;
    ck_assert(s == l->tls && !l->secured && !l->failed && !l->is_closed);
    l->secured = true;
    l->report = *report;
    snprintf(l->version, sizeof l->version, "%s", report->version);
    snprintf(l->alpn, sizeof l->alpn, "%s", report->alpn ? report->alpn : "-");
    stream_bind(s, &line_events, l);
    if (l->closes_when_secured)
        close_line(l);
    else
        stream_resume(s);
}

static void on_failed(void *owner, struct stream *s, enum failure why, const char *detail)
{
    struct line *l = owner;
    ck_assert(s == l->tls && !l->secured && !l->failed && !l->is_closed);
    l->failed = true;
    l->failure = why;
    snprintf(l->detail, sizeof l->detail, "%s", detail);
}

static const struct tls_events tls_events = {on_secured, on_failed};

static void on_connected(void *owner, struct stream *s, int status)
{
    struct line *l = owner;
    ck_assert_int_eq(status, 0);
    l->tap.base.ops = &tap_ops;
    l->tap.inner = s;
    stream_bind(s, &tap_events, &l->tap);
    l->tls = stream_tls_open(loop, worker, context, &l->tap.base, l->name, http1, &tls_events, l);
}

void begin(struct line *l, const char *origin, const char *name)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(origin))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *l = (struct line){.name = name,
                       .closes_inside = l->closes_inside,
                       .pauses_inside = l->pauses_inside,
                       .closes_when_secured = l->closes_when_secured};
    stream_uv_connect(loop, (struct sockaddr *)&at, l, on_connected);
    UNTIL(l->tls);
}

void open_line(struct line *l, const char *origin, const char *name)
{
    begin(l, origin, name);
    UNTIL(l->secured || l->failed);
}

void must_open(struct line *l, const char *origin)
{
    open_line(l, origin, "origin.test");
    ck_assert_msg(l->secured, "%s: %s", origin, l->detail);
}

void must_fail(const char *origin, const char *name, enum failure why, const char *words)
{
    struct line l = {0};
    open_line(&l, origin, name);
    ck_assert_msg(l.failed, "%s was taken", origin);
    ck_assert_msg(l.failure == why, "%s: %s: %s", origin, failure_name(l.failure), l.detail);
    ck_assert_msg(strstr(l.detail, words) != NULL, "%s: %s", origin, l.detail);
    ck_assert(strchr(l.detail, '\n') == NULL);
    close_line(&l);
}

void say(struct line *l, const char *text)
{
    uv_buf_t piece = uv_buf_init((char *)text, (unsigned)strlen(text));
    stream_write(l->tls, &piece, 1);
}

void use_context(struct tls_settings settings)
{
    char error[256];
    if (context)
        tls_context_unref(context);
    context = tls_context_new(&settings, error, sizeof error);
    ck_assert_msg(context != NULL, "%s", error);
}

void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    tls_start();
    loop = loop_new();
    worker = worker_new(loop);
    use_context((struct tls_settings){.verify = true, .ca_file = file("ca.pem")});
}

void tear_down(void)
{
    loop_turn(loop, false);
    worker_free(worker);
    loop_free(loop);
    tls_context_unref(context);
    context = NULL;
}
