#include "upstream/connect.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/rare.h"
#include "base/state.h"
#include "net/stream_tls.h"
#include "protocol/h1_conn.h"
#include "protocol/h2_conn.h"

#define MAGIC 0x636e6374
#define CONNECTING_MAGIC 0x636e6e67

struct line_connector {
    struct connector base;
    unsigned magic;
    const struct connect_env *env;
    struct tls_context *tls;
    bool listed;
    bool watching;
    struct dns_watch watch;
};

/* Dialling again after a handshake: see try_again(). */
#define CONNECTING_STATES(S)                                                                       \
    S(CONNECTING_DIALLING, "dialling", TO(CONNECTING_HANDSHAKING) | TO(CONNECTING_ENDED))          \
    S(CONNECTING_HANDSHAKING, "handshaking", TO(CONNECTING_DIALLING) | TO(CONNECTING_ENDED))       \
    S(CONNECTING_ENDED, "ended", 0)
STATE_TYPE(connecting, CONNECTING_STATES)

struct connecting {
    unsigned magic;
    enum connecting_state state;
    struct line_connector *connector;
    char *host, *tls_name;
    struct dial_target target;
    struct sockaddr_storage connect_to;
    uint64_t tls_timeout_ms, tls_began_us;
    bool secure;
    enum config_http2 http2;
    const struct connect_events *events;
    void *owner;
    struct dial *dial;       /* dialling; */
    struct stream *stream;   /* handshaking */
    struct tls_context *tls; /* of the handshake; one reference */
    bool is_second;          /* the second try, with TLS 1.2 at most; the first one's times count */
    struct connect_report report;
    struct deadline deadline;
    struct task free_later;
};

static struct line_connector *self(struct connector *c)
{
    struct line_connector *l = container_of(c, struct line_connector, base);
    MAGIC_CHECK(l, MAGIC);
    return l;
}

/* ------------------------------------------------------------------ one line */

static void enter(struct connecting *c, enum connecting_state to)
{
    STATE_ENTER(connecting, &c->state, to, c->host, 0);
}

static void free_now(struct task *t)
{
    struct connecting *c = container_of(t, struct connecting, free_later);
    if (c->tls)
        tls_context_unref(c->tls);
    free(c->host);
    free(c->tls_name);
    c->magic = 0;
    free(c);
}

static void finish(struct connecting *c)
{
    enter(c, CONNECTING_ENDED);
    deadline_stop(&c->deadline);
    loop_defer(c->connector->env->loop, &c->free_later);
}

static void fail(struct connecting *c, enum failure why, const char *detail)
{
    if (c->stream)
        stream_close(c->stream);
    c->stream = NULL;
    finish(c);
    c->events->on_failed(c->owner, why, detail);
}

static void succeed(struct connecting *c, struct stream *s, bool speaks_http2)
{
    const struct connect_env *env = c->connector->env;
    c->stream = NULL;
    finish(c);
    c->events->on_connected(c->owner,
                            speaks_http2 ? h2_conn_new(env->loop, s, c->secure, env->header_limit)
                                         : h1_conn_new(env->loop, s),
                            &c->report);
}

/* RFC 9113 3.2: an origin that chose no protocol speaks HTTP/1.1. */
static void on_secured(void *owner, struct stream *s, const struct tls_report *r)
{
    struct connecting *c = owner;
    MAGIC_CHECK(c, CONNECTING_MAGIC);
    c->report.tls_us += r->handshake_us;
    c->report.resumed = r->resumed;
    c->report.tls_version = r->version;
    c->report.alpn = r->alpn;
    c->report.valid_from_s = r->valid_from_s;
    c->report.valid_until_s = r->valid_until_s;
    bool is_http2 = r->alpn && strcmp(r->alpn, "h2") == 0;
    bool is_http1 = !r->alpn || strcmp(r->alpn, "http/1.1") == 0;
    if (is_http2 ? c->http2 == HTTP2_NEVER : !is_http1)
        fail(c, FAILURE_TLS_PROTOCOL_ERROR, "the origin chose a protocol it was not offered");
    else if (is_http1 && c->http2 == HTTP2_ALWAYS)
        fail(c, FAILURE_TLS_PROTOCOL_ERROR, "the origin does not speak HTTP/2 (http2 = always)");
    else
        succeed(c, s, is_http2);
}

static const char *const *offer(enum config_http2 http2)
{
    static const char *const offers[][3] = {
        [HTTP2_AUTO] = {"h2", "http/1.1", NULL},
        [HTTP2_NEVER] = {"http/1.1", NULL},
        [HTTP2_ALWAYS] = {"h2", NULL},
    };
    return offers[http2];
}

static const struct dial_events dial_events;

/* Nothing of a request was sent: it dials again, and offers TLS 1.2 at most (stream_tls.h). */
static void try_again(struct connecting *c)
{
    const struct connect_env *env = c->connector->env;
    rare_note(RARE_TLS_OLDER);
    stream_close(c->stream);
    c->stream = NULL;
    deadline_stop(&c->deadline);
    c->is_second = true;
    enter(c, CONNECTING_DIALLING);
    c->report.tls_us += loop_clock_us(env->loop) - c->tls_began_us;
    c->target.exit = c->connector->base.exit; /* a reload may have replaced it */
    c->dial = dial_start(env->loop, env->dns, &c->target, &dial_events, c);
}

static void on_tls_failed(void *owner, struct stream *s, enum failure why, const char *detail)
{
    struct connecting *c = owner;
    MAGIC_CHECK(c, CONNECTING_MAGIC);
    if (!c->is_second && stream_tls_may_be_older(s))
        try_again(c);
    else
        fail(c, why, detail);
}

static void on_tls_timeout(struct deadline *d)
{
    struct connecting *c = container_of(d, struct connecting, deadline);
    MAGIC_CHECK(c, CONNECTING_MAGIC);
    char limit[DURATION_TEXT_SIZE], detail[80];
    snprintf(detail, sizeof detail, "no TLS handshake within %s",
             duration_text(limit, c->tls_timeout_ms));
    fail(c, FAILURE_CONNECTION_TIMEOUT, detail);
}

static void on_dialled(void *owner, struct stream *s, const struct dial_report *r)
{
    static const struct tls_events events = {on_secured, on_tls_failed};
    struct connecting *c = owner;
    MAGIC_CHECK(c, CONNECTING_MAGIC);
    c->dial = NULL;
    c->report.peer = r->peer;
    c->report.dns_us += r->dns_us;
    c->report.connect_us += r->connect_us;
    c->report.secure = c->secure;
    if (!c->secure) { /* RFC 9113 3.3: prior knowledge */
        succeed(c, s, c->http2 == HTTP2_ALWAYS);
        return;
    }
    const struct connect_env *env = c->connector->env;
    enter(c, CONNECTING_HANDSHAKING);
    if (c->tls == NULL)
        c->tls = tls_context_ref(c->connector->tls);
    c->tls_began_us = loop_clock_us(env->loop);
    c->stream = stream_tls_open(env->loop, env->worker, c->tls, s, c->tls_name, offer(c->http2),
                                &events, c);
    if (c->tls_timeout_ms)
        deadline_in(&c->deadline, c->tls_timeout_ms);
}

static void on_dial_failed(void *owner, enum failure why, const char *detail)
{
    struct connecting *c = owner;
    MAGIC_CHECK(c, CONNECTING_MAGIC);
    c->dial = NULL;
    fail(c, why, detail);
}

static enum failure permit(void *context, const struct sockaddr *address)
{
    struct line_connector *l = context;
    MAGIC_CHECK(l, MAGIC);
    return l->env->permit(l->env->context, l->listed, address);
}

static struct dial_target target_of(struct line_connector *l, const struct upstream_config *u)
{
    return (struct dial_target){
        .host = u->host,
        .port = u->port,
        .connect_to = u->connect_to.len ? &u->connect_to.at : NULL,
        .exit = l->base.exit,
        .dns_timeout_ms = u->dns_timeout,
        .connect_timeout_ms = u->connect_timeout,
        .permit = permit,
        .permit_context = l,
    };
}

static struct dial *dial(struct connector *base, const struct upstream_config *u,
                         const struct dial_events *events, void *owner)
{
    struct line_connector *l = self(base);
    struct dial_target target = target_of(l, u);
    return dial_start(l->env->loop, l->env->dns, &target, events, owner);
}

static const struct dial_events dial_events = {on_dialled, on_dial_failed};

static struct connecting *connecting_new(struct line_connector *l, const struct upstream_config *u,
                                         const struct connect_events *events, void *owner)
{
    struct connecting *c = NEW(struct connecting);
    c->magic = CONNECTING_MAGIC;
    c->connector = l;
    c->host = must_strdup(u->host);
    c->connect_to = u->connect_to.at;
    c->target = target_of(l, u);
    c->target.host = c->host;
    if (c->target.connect_to)
        c->target.connect_to = &c->connect_to;
    c->tls_name = must_strdup(u->tls_name ? u->tls_name : u->host);
    c->tls_timeout_ms = u->tls_timeout;
    c->secure = u->secure;
    c->http2 = (enum config_http2)u->http2;
    c->events = events;
    c->owner = owner;
    deadline_init(&c->deadline, l->env->loop, on_tls_timeout);
    task_init(&c->free_later, free_now);
    return c;
}

static struct connecting *start(struct connector *base, const struct upstream_config *u,
                                const struct connect_events *events, void *owner)
{
    struct line_connector *l = self(base);
    struct connecting *c = connecting_new(l, u, events, owner);
    c->dial = dial_start(l->env->loop, l->env->dns, &c->target, &dial_events, c);
    return c;
}

static struct connecting *adopt(struct connector *base, const struct upstream_config *u,
                                struct stream *stream, const struct dial_report *report,
                                const struct connect_events *events, void *owner)
{
    struct connecting *c = connecting_new(self(base), u, events, owner);
    c->dial = dial_adopt(c->connector->env->loop, stream, report, &dial_events, c);
    return c;
}

static void cancel(struct connecting *c)
{
    MAGIC_CHECK(c, CONNECTING_MAGIC);
    if (c->dial)
        dial_cancel(c->dial);
    if (c->stream)
        stream_close(c->stream);
    finish(c);
}

/* --------------------------------------------------------------- the connector */

static void watch(struct connector *base, const struct upstream_config *u, void *owner)
{
    struct line_connector *l = self(base);
    const struct config_exit *exit = base->exit;
    bool by_proxy = exit && exit->kind != EXIT_SOURCE; /* which resolves the name */
    bool wanted = owner && u->connect_to.len == 0 && !by_proxy;
    if (wanted == l->watching)
        return;
    l->watching = wanted;
    if (!wanted) {
        dns_unwatch(&l->watch);
        return;
    }
    l->watch.owner = owner;
    l->watch.on_answer = base->on_answer;
    dns_watch(l->env->dns, &l->watch, u->host);
}

static bool is_gone(struct connector *base, const struct sockaddr_storage *peer)
{
    struct line_connector *l = self(base);
    return l->watching && peer->ss_family != AF_UNSPEC &&
           dns_is_gone(&l->watch, (const struct sockaddr *)peer);
}

static void free_connector(struct connector *base)
{
    struct line_connector *l = self(base);
    if (l->watching)
        dns_unwatch(&l->watch);
    if (l->tls)
        tls_context_unref(l->tls);
    l->magic = 0;
    free(l);
}

struct connector *connect_new(const struct connect_env *env, struct tls_context *tls, bool listed)
{
    static const struct connector_ops ops = {start, adopt,   cancel,        dial,
                                             watch, is_gone, free_connector};
    struct line_connector *l = NEW(struct line_connector);
    l->base.ops = &ops;
    l->magic = MAGIC;
    l->env = env;
    l->tls = tls ? tls_context_ref(tls) : NULL;
    l->listed = listed;
    return &l->base;
}

void connect_set_tls(struct connector *base, struct tls_context *tls)
{
    struct line_connector *l = self(base);
    struct tls_context *old = l->tls;
    l->tls = tls ? tls_context_ref(tls) : NULL;
    if (old)
        tls_context_unref(old);
}
