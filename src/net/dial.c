#include "net/dial.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/descriptors.h"
#include "base/duration.h"
#include "base/rare.h"
#include "net/proxy_hello.h"
#include "net/stream_uv.h"

#define HEAD_START_MS 250 /* RFC 8305 5: Connection Attempt Delay */
#define DETAIL_SIZE 200

/* One address being connected to. */
struct attempt {
    struct link link;
    struct dial *dial;
    struct stream *stream;
    struct sockaddr_storage to;
};

/* First resolving, then connecting: `attempts` are under way, at[next…] have not been tried. */
struct dial {
    struct loop *loop;
    struct dns *dns;
    struct dial_target target;
    const struct dial_events *events;
    void *owner;
    struct task begin;
    struct stream *adopted; /* set by dial_adopt(); the fields below are then unused */
    struct dns_query query;
    struct dns_addresses addresses;
    size_t next;
    struct list attempts;
    struct deadline limit, head_start;
    struct config_exit exit; /* our own copy, if target.exit is set */
    struct sockaddr_storage hop;
    struct proxy_hello *hello; /* NULL: not with a proxy, or not yet */
    bool tried;                /* at least one address was tried: `why` is about one of those */
    enum failure why;
    char detail[DETAIL_SIZE];
    uint64_t began_us, connecting_us; /* since when, by loop_clock_us() */
    struct dial_report report;
};

/* ------------------------------------------------------------------- ending */

/* Ends it. Returns its stream, which is the caller's now. */
static struct stream *attempt_end(struct attempt *a)
{
    struct stream *stream = a->stream;
    list_remove(&a->link);
    free(a);
    return stream;
}

static void attempt_drop(struct attempt *a)
{
    stream_close(attempt_end(a));
}

static void forget_exit(struct config_exit *e)
{
    if (e->password)
        explicit_bzero((char *)e->password, strlen(e->password));
    free((char *)e->host);
    free((char *)e->user);
    free((char *)e->password);
}

static void dial_free(struct dial *d)
{
    dns_cancel(&d->query);
    task_forget(&d->begin);
    deadline_stop(&d->limit);
    deadline_stop(&d->head_start);
    LIST_FOR (&d->attempts, a, struct attempt, link)
        attempt_drop(a);
    if (d->adopted)
        stream_close(d->adopted);
    if (d->hello)
        proxy_hello_cancel(d->hello);
    forget_exit(&d->exit);
    free(d->addresses.at);
    free(d);
}

void dial_cancel(struct dial *d)
{
    dial_free(d);
}

/* Freed first, so that the owner may do anything in the event, including starting another dial. */
static void fail(struct dial *d)
{
    const struct dial_events *events = d->events;
    void *owner = d->owner;
    enum failure why = d->why;
    char detail[DETAIL_SIZE];
    snprintf(detail, sizeof detail, "%s", d->detail);
    dial_free(d);
    events->on_failed(owner, why, detail);
}

static void hand_over(struct dial *d, struct stream *stream)
{
    const struct dial_events *events = d->events;
    void *owner = d->owner;
    struct dial_report report = d->report;
    report.connect_us = loop_clock_us(d->loop) - d->connecting_us;
    dial_free(d);
    events->on_connected(owner, stream, &report);
}

/* --------------------------------------------------------------------- the proxy */

static bool is_by_proxy(const struct dial *d)
{
    return d->target.exit && d->exit.kind != EXIT_SOURCE;
}

static void on_open(void *owner, struct stream *stream)
{
    struct dial *d = owner;
    d->hello = NULL;
    hand_over(d, stream);
}

static void on_proxy_refused(void *owner, enum failure why, const char *detail)
{
    struct dial *d = owner;
    d->hello = NULL;
    d->why = why;
    snprintf(d->detail, sizeof d->detail, "%s", detail);
    fail(d);
}

static void ask_proxy(struct dial *d, struct stream *stream)
{
    static const struct proxy_hello_events events = {on_open, on_proxy_refused};
    const struct hello_target target = {d->hop.ss_family == AF_UNSPEC ? NULL : &d->hop,
                                        d->target.host, d->target.port};
    deadline_stop(&d->limit);
    d->hello = proxy_hello_start(d->loop, stream, &d->exit, &target, d->target.connect_timeout_ms,
                                 &events, d);
}

/* The other attempts are given up. */
static void succeed(struct dial *d, struct attempt *a)
{
    if (a->to.ss_family != AF_UNIX)
        d->report.peer = a->to;
    struct stream *stream = attempt_end(a);
    deadline_stop(&d->head_start);
    LIST_FOR (&d->attempts, other, struct attempt, link)
        attempt_drop(other);
    if (is_by_proxy(d))
        ask_proxy(d, stream);
    else
        hand_over(d, stream);
}

/* --------------------------------------------------------------- connecting */

static void note(struct dial *d, enum failure why, const struct sockaddr_storage *to,
                 const char *words)
{
    char name[ADDRESS_TEXT];
    address_format(to, name);
    d->why = why;
    snprintf(d->detail, sizeof d->detail, "%s: %s", name, words);
}

/* A lack of descriptors or memory here says nothing about the other end. */
static enum failure failure_of(int status)
{
    if (status == UV_ETIMEDOUT)
        return FAILURE_CONNECTION_TIMEOUT;
    if (status == UV_EMFILE || status == UV_ENFILE)
        descriptors_complain("dial", "a request cannot get a connection");
    else if (status != UV_ENOBUFS && status != UV_ENOMEM)
        return FAILURE_CONNECTION_REFUSED;
    rare_note(RARE_DIAL_NO_DESCRIPTOR);
    return FAILURE_CONNECTION_LIMIT_REACHED;
}

static void proceed(struct dial *d);

static void on_connect(void *owner, struct stream *stream, int status)
{
    struct attempt *a = owner;
    struct dial *d = a->dial;
    CHECK(stream == a->stream);
    if (status == 0) {
        succeed(d, a);
        return;
    }
    bool is_foreign = status == UV_EADDRNOTAVAIL && d->target.exit;
    note(d, failure_of(status), &a->to,
         is_foreign ? "the source address is not one of this machine's" : uv_strerror(status));
    attempt_drop(a);
    proceed(d);
}

static void attempt_start(struct dial *d, const struct sockaddr_storage *to)
{
    struct attempt *a = NEW(struct attempt);
    a->dial = d;
    a->to = *to;
    list_push_back(&d->attempts, &a->link);
    d->tried = true;
    if (to->ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const void *)&a->to;
        a->stream = stream_uv_connect_unix(d->loop, un->sun_path, a, on_connect);
    } else if (d->target.exit && d->exit.kind == EXIT_SOURCE) {
        a->stream = stream_uv_connect_from(d->loop, &d->exit.source,
                                           (const struct sockaddr *)&a->to, a, on_connect);
    } else {
        a->stream = stream_uv_connect(d->loop, (const struct sockaddr *)&a->to, a, on_connect);
    }
}

static bool is_permitted(struct dial *d, const struct sockaddr_storage *to)
{
    if (d->target.permit == NULL)
        return true;
    enum failure why = d->target.permit(d->target.permit_context, (const struct sockaddr *)to);
    if (why != FAILURE_NONE && !d->tried)
        note(d, why, to,
             why == FAILURE_PROXY_LOOP_DETECTED ? "the address is trunkline's own"
                                                : "the address is not permitted");
    return why == FAILURE_NONE;
}

/* Starts connecting to the next permitted address; the dial fails when no address is left and no
 * attempt is under way. */
static void proceed(struct dial *d)
{
    deadline_stop(&d->head_start);
    while (d->next < d->addresses.count) {
        const struct sockaddr_storage *to = &d->addresses.at[d->next++];
        if (!is_permitted(d, to))
            continue;
        if (d->tried)
            rare_note(RARE_DIAL_NEXT_ADDRESS);
        attempt_start(d, to);
        if (d->next < d->addresses.count)
            deadline_in(&d->head_start, HEAD_START_MS);
        return;
    }
    if (d->attempts.count == 0)
        fail(d);
}

static void on_head_start(struct deadline *deadline)
{
    proceed(container_of(deadline, struct dial, head_start));
}

static void on_limit(struct deadline *deadline)
{
    struct dial *d = container_of(deadline, struct dial, limit);
    const struct attempt *first = LIST_ENTRY(list_first(&d->attempts), struct attempt, link);
    char duration[DURATION_TEXT_SIZE], words[80];
    CHECK(first != NULL);
    snprintf(words, sizeof words, "no TCP connection within %s",
             duration_text(duration, d->target.connect_timeout_ms));
    note(d, FAILURE_CONNECTION_TIMEOUT, &first->to, words);
    fail(d);
}

/* From a source address only its own family can be reached. */
static bool is_in_reach(const struct dial *d, const struct sockaddr_storage *at)
{
    return !d->target.exit || d->exit.kind != EXIT_SOURCE ||
           at->ss_family == d->exit.source.ss_family;
}

static void take_addresses(struct dial *d, const struct sockaddr_storage *at, size_t count)
{
    d->addresses.at = must_calloc(count, sizeof *at);
    for (size_t i = 0; i < count; i++)
        if (is_in_reach(d, &at[i]))
            d->addresses.at[d->addresses.count++] = at[i];
    if (d->addresses.count)
        return;
    d->why = FAILURE_CONNECTION_REFUSED;
    snprintf(d->detail, sizeof d->detail, "the origin has no IPv%c address",
             d->exit.source.ss_family == AF_INET ? '4' : '6');
}

static void start_connecting(struct dial *d)
{
    d->connecting_us = loop_clock_us(d->loop);
    deadline_in(&d->limit, d->target.connect_timeout_ms);
    proceed(d);
}

/* ---------------------------------------------------------------- resolving */

/* The addresses are copied, since those in the cache may change before all are tried. */
static void connect_to_found(struct dial *d, const struct dns_addresses *found)
{
    take_addresses(d, found->at, found->count);
    for (size_t i = 0; i < d->addresses.count; i++)
        address_set_port(&d->addresses.at[i], is_by_proxy(d) ? d->exit.port : d->target.port);
    d->report.dns_us = loop_clock_us(d->loop) - d->began_us;
    start_connecting(d);
}

static void on_found(void *owner, const struct dns_addresses *found)
{
    connect_to_found(owner, found);
}

static void on_dns_failed(void *owner, enum failure why, const char *detail)
{
    struct dial *d = owner;
    d->why = why;
    snprintf(d->detail, sizeof d->detail, "%s", detail);
    fail(d);
}

static void hand_on(struct task *t)
{
    struct dial *d = container_of(t, struct dial, begin);
    const struct dial_events *events = d->events;
    void *owner = d->owner;
    struct stream *stream = d->adopted;
    struct dial_report report = d->report;
    d->adopted = NULL;
    dial_free(d);
    events->on_connected(owner, stream, &report);
}

static void run_begin(struct task *t)
{
    struct dial *d = container_of(t, struct dial, begin);
    struct dns_addresses found;
    const char *host = is_by_proxy(d) ? d->exit.host : d->target.host;
    if (d->addresses.at)
        start_connecting(d);
    else if (dns_resolve(d->dns, &d->query, host, d->target.dns_timeout_ms, &found))
        connect_to_found(d, &found);
}

static struct dial *dial_new(struct loop *loop, void (*begin)(struct task *),
                             const struct dial_events *events, void *owner)
{
    struct dial *d = NEW(struct dial);
    d->loop = loop;
    d->events = events;
    d->owner = owner;
    d->began_us = loop_clock_us(d->loop);
    list_init(&d->attempts);
    task_init(&d->begin, begin);
    deadline_init(&d->limit, loop, on_limit);
    deadline_init(&d->head_start, loop, on_head_start);
    loop_defer(loop, &d->begin);
    return d;
}

struct dial *dial_adopt(struct loop *loop, struct stream *stream, const struct dial_report *report,
                        const struct dial_events *events, void *owner)
{
    struct dial *d = dial_new(loop, hand_on, events, owner);
    d->adopted = stream;
    d->report = *report;
    return d;
}

static char *copy(const char *text)
{
    return text ? must_strdup(text) : NULL;
}

static void copy_exit(struct config_exit *to, const struct config_exit *from)
{
    *to = (struct config_exit){.kind = from->kind,
                               .source = from->source,
                               .host = copy(from->host),
                               .port = from->port,
                               .user = copy(from->user),
                               .password = copy(from->password)};
}

struct dial *dial_start(struct loop *loop, struct dns *dns, const struct dial_target *target,
                        const struct dial_events *events, void *owner)
{
    struct dial *d = dial_new(loop, run_begin, events, owner);
    d->dns = dns;
    d->target = *target;
    d->query.owner = d;
    d->query.on_found = on_found;
    d->query.on_failed = on_dns_failed;
    if (target->exit)
        copy_exit(&d->exit, target->exit);
    if (target->connect_to == NULL || target->connect_to->ss_family == AF_UNSPEC)
        return d;
    if (is_by_proxy(d))
        d->hop = *target->connect_to;
    else
        take_addresses(d, target->connect_to, 1);
    return d;
}
