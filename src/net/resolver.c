#include "net/resolver.h"

#include <ares.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"

/* The first timeout is short, so that one lost datagram costs little. c-ares doubles it at each
 * try: 0.7 + 1.4 + 2.8 s in total for each server. */
#define TRY_MS 700
#define TRIES 3
#define RESOLUTION_DELAY_MS 50 /* RFC 8305 3 */

#define SOCKET_MAGIC 0x50c4e701u
#define RESOLVER_MAGIC 0x4e501e42u

struct resolver {
    unsigned magic;
    struct link link; /* on its owner's list of retired resolvers, or on none */
    struct loop *loop;
    ares_channel channel;
    struct list sockets;
    struct deadline timeout;
    struct task end;
    size_t under_way; /* questions that c-ares has not answered yet */
};

/* A question to c-ares. It cannot be cancelled there, so its answer may arrive when no lookup is
 * waiting for it any more. */
struct question {
    struct resolver *resolver;
    struct lookup *lookup; /* NULL: no lookup is waiting */
    size_t place;          /* its index among the lookup's questions */
};

/* A socket that c-ares has open; freed by libuv's close callback. */
struct polled {
    unsigned magic;
    struct link link;
    uv_poll_t poll;
    ares_socket_t fd;
    struct resolver *resolver;
};

static void set_timeout(struct resolver *r)
{
    struct timeval tv;
    if (ares_timeout(r->channel, NULL, &tv) == NULL) {
        deadline_stop(&r->timeout);
        return;
    }
    deadline_in(&r->timeout, (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1);
}

static void on_timeout(struct deadline *d)
{
    struct resolver *r = container_of(d, struct resolver, timeout);
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timeout(r);
}

/* An error of the socket is passed to c-ares as readable and writable; c-ares then finds the error
 * itself. */
static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct polled *p = handle->data;
    MAGIC_CHECK(p, SOCKET_MAGIC);
    struct resolver *r = p->resolver;
    bool reads = status < 0 || events & UV_READABLE, writes = status < 0 || events & UV_WRITABLE;
    ares_process_fd(r->channel, reads ? p->fd : ARES_SOCKET_BAD, writes ? p->fd : ARES_SOCKET_BAD);
    set_timeout(r);
}

static void on_closed(uv_handle_t *handle)
{
    struct polled *p = handle->data;
    MAGIC_CHECK(p, SOCKET_MAGIC);
    free(p);
}

static void polled_close(struct polled *p)
{
    list_remove(&p->link);
    p->resolver = NULL;
    uv_close((uv_handle_t *)&p->poll, on_closed);
}

static struct polled *polled_find(struct resolver *r, ares_socket_t fd)
{
    LIST_FOR (&r->sockets, p, struct polled, link)
        if (p->fd == fd)
            return p;
    return NULL;
}

static struct polled *polled_new(struct resolver *r, ares_socket_t fd)
{
    struct polled *p = NEW(struct polled);
    MAGIC_INIT(p, SOCKET_MAGIC);
    p->resolver = r;
    p->fd = fd;
    p->poll.data = p;
    int e = uv_poll_init_socket(loop_uv(r->loop), &p->poll, fd);
    if (e) {
        LOG(WARN, "dns", "a socket cannot be polled: %s", uv_strerror(e));
        free(p);
        return NULL;
    }
    list_push_back(&r->sockets, &p->link);
    return p;
}

/* Called when c-ares has opened a socket, waits for a different event on it, or is about to close
 * it. */
static void on_socket(void *data, ares_socket_t fd, int reads, int writes)
{
    struct resolver *r = data;
    MAGIC_CHECK(r, RESOLVER_MAGIC);
    struct polled *p = polled_find(r, fd);
    if (!reads && !writes) {
        if (p)
            polled_close(p);
        return;
    }
    if (p == NULL && (p = polled_new(r, fd)) == NULL)
        return;
    uv_poll_start(&p->poll, (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0), on_poll);
}

static void run_end(struct task *t)
{
    resolver_free(container_of(t, struct resolver, end));
}

/* Names are absolute: no search list, no aliases from the environment. */
static int channel_open(struct resolver *r)
{
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = TRY_MS,
        .tries = TRIES,
        .ndots = 0,
        .ndomains = 0,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = r,
    };
    return ares_init_options(&r->channel, &options,
                             ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                                 ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB);
}

struct resolver *resolver_new(struct loop *loop, const char *servers)
{
    struct resolver *r = NEW(struct resolver);
    MAGIC_INIT(r, RESOLVER_MAGIC);
    r->loop = loop;
    list_init(&r->sockets);
    deadline_init(&r->timeout, loop, on_timeout);
    task_init(&r->end, run_end);
    int e = ares_library_init(ARES_LIB_INIT_ALL); /* counted */
    if (e == ARES_SUCCESS && (e = channel_open(r)) != ARES_SUCCESS)
        ares_library_cleanup();
    if (e != ARES_SUCCESS) {
        LOG(ERROR, "dns", "c-ares cannot start: %s", ares_strerror(e));
        free(r);
        return NULL;
    }
    if (servers && (e = ares_set_servers_ports_csv(r->channel, servers)) != ARES_SUCCESS) {
        LOG(ERROR, "dns", "name servers \"%s\": %s", servers, ares_strerror(e));
        resolver_free(r);
        return NULL;
    }
    return r;
}

void resolver_free(struct resolver *r)
{
    MAGIC_CHECK(r, RESOLVER_MAGIC);
    ares_destroy(r->channel);
    ares_library_cleanup();
    LIST_FOR (&r->sockets, p, struct polled, link)
        polled_close(p);
    deadline_stop(&r->timeout);
    task_forget(&r->end);
    list_remove(&r->link);
    r->magic = 0;
    free(r);
}

void resolver_retire(struct resolver *r, struct list *retired)
{
    list_push_back(retired, &r->link);
    if (r->under_way == 0)
        loop_defer(r->loop, &r->end);
}

void resolver_free_retired(struct list *retired)
{
    LIST_FOR (retired, r, struct resolver, link)
        resolver_free(r);
}

/* The shortest TTL, 0 for the hosts file's entries. */
static uint64_t shortest_ttl(const struct ares_addrinfo *info)
{
    int ttl = INT_MAX;
    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next)
        ttl = n->ai_ttl < ttl ? n->ai_ttl : ttl;
    for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
        ttl = c->ttl < ttl ? c->ttl : ttl;
    return ttl < 0 ? 0 : (uint64_t)ttl * 1000;
}

static void collect(struct dns_addresses *list, const struct ares_addrinfo *info)
{
    size_t room = list->count;
    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next)
        room++;
    if (room == list->count)
        return;
    list->at = must_realloc(list->at, room * sizeof *list->at);
    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
        if (n->ai_family != AF_INET && n->ai_family != AF_INET6)
            continue;
        if (addresses_have(list, n->ai_addr))
            continue;
        list->at[list->count] = (struct sockaddr_storage){0};
        memcpy(&list->at[list->count++], n->ai_addr, (size_t)n->ai_addrlen);
    }
}

static bool is_denial(int status)
{
    return status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

/* c-ares reports three different cases as ECONNREFUSED. */
static void explain(struct lookup *l)
{
    int status = l->status;
    l->why = status == ARES_ETIMEOUT ? FAILURE_DNS_TIMEOUT : FAILURE_DNS_ERROR;
    l->is_denied = is_denial(status);
    if (status == ARES_ENOTFOUND)
        l->words = "no such host";
    else if (status == ARES_ENODATA)
        l->words = "the name has no address";
    else if (status == ARES_ECONNREFUSED)
        l->words = "the name servers fail (SERVFAIL), refuse, or cannot be reached";
    else if (status == ARES_ETIMEOUT)
        l->words = "no answer from the name servers";
    else
        l->words = ares_strerror(status);
}

/* ---------------------------------------------------------------- one lookup */

/* NXDOMAIN applies to the whole name, whatever the result of the other question (RFC 2308 5).
 * Otherwise the error of a question that failed is preferred to the mere absence of one kind of
 * address, since it says more. */
static bool says_more(int status, int than)
{
    if (status == ARES_ENOTFOUND || than == ARES_ENOTFOUND)
        return than != ARES_ENOTFOUND;
    return than == ARES_SUCCESS || !is_denial(status);
}

static void take_answer(struct lookup *l, int status, const struct ares_addrinfo *info)
{
    if (status == ARES_SUCCESS) {
        uint64_t ttl_ms = shortest_ttl(info);
        l->ttl_ms = ttl_ms < l->ttl_ms ? ttl_ms : l->ttl_ms;
        collect(&l->found, info);
        status = ARES_ENODATA;
    }
    l->is_partial |= !is_denial(status);
    if (says_more(status, l->status))
        l->status = status;
}

static bool is_answered(const struct lookup *l)
{
    return !l->questions[0] && !l->questions[1];
}

static void drop_questions(struct lookup *l)
{
    for (size_t i = 0; i < COUNT_OF(l->questions); i++) {
        if (l->questions[i])
            l->questions[i]->lookup = NULL;
        l->questions[i] = NULL;
    }
}

/* The end is reported by a task, since c-ares may answer from inside the call that asked. Some
 * servers answer NXDOMAIN for a kind of address that the name lacks (RFC 4074 4.2): even after
 * NXDOMAIN the other answer is awaited for a moment. */
static void look_whether_done(struct lookup *l)
{
    if (is_answered(l))
        loop_defer(l->by->loop, &l->report);
    else if (l->found.count || l->status == ARES_ENOTFOUND)
        deadline_in(&l->patience, RESOLUTION_DELAY_MS);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct question *q = arg;
    struct resolver *r = q->resolver;
    struct lookup *l = q->lookup;
    MAGIC_CHECK(r, RESOLVER_MAGIC);
    (void)timeouts;
    if (l) {
        l->questions[q->place] = NULL;
        take_answer(l, status, info);
        look_whether_done(l);
    }
    if (info)
        ares_freeaddrinfo(info);
    free(q);
    if (--r->under_way == 0 && r->link.on)
        loop_defer(r->loop, &r->end);
}

static void report(struct lookup *l)
{
    deadline_stop(&l->patience);
    addresses_interleave(&l->found);
    if (l->found.count == 0)
        explain(l);
    l->by = NULL;
    l->done(l);
}

static void run_report(struct task *t)
{
    report(container_of(t, struct lookup, report));
}

static void on_patience(struct deadline *d)
{
    struct lookup *l = container_of(d, struct lookup, patience);
    l->is_partial = true;
    drop_questions(l);
    report(l);
}

static void put(struct resolver *r, struct question *q, const char *name, int family)
{
    const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT,
        .ai_family = family,
        .ai_socktype = SOCK_STREAM,
    };
    ares_getaddrinfo(r->channel, name, NULL, &hints, on_answer, q);
}

static struct question *question_new(struct resolver *r, struct lookup *l, size_t place)
{
    struct question *q = NEW(struct question);
    *q = (struct question){r, l, place};
    r->under_way++;
    return q;
}

/* A name in the hosts file has the addresses listed there, and no others. */
static bool is_in_hosts_file(struct resolver *r, const char *name)
{
    struct hostent *found = NULL;
    bool is_listed = ares_gethostbyname_file(r->channel, name, AF_UNSPEC, &found) == ARES_SUCCESS;
    if (found)
        ares_free_hostent(found);
    return is_listed;
}

void resolver_ask(struct resolver *r, struct lookup *l, const char *name)
{
    bool is_one = is_in_hosts_file(r, name);
    CHECK(l->by == NULL && r->link.on == NULL);
    l->by = r;
    l->found = (struct dns_addresses){0};
    l->why = FAILURE_NONE;
    l->status = ARES_SUCCESS;
    l->ttl_ms = UINT64_MAX;
    l->is_partial = l->is_denied = false;
    task_init(&l->report, run_report);
    deadline_init(&l->patience, r->loop, on_patience);
    struct question *first = l->questions[0] = question_new(r, l, 0);
    struct question *second = l->questions[1] = is_one ? NULL : question_new(r, l, 1);
    put(r, first, name, is_one ? AF_UNSPEC : AF_INET);
    if (second)
        put(r, second, name, AF_INET6);
    set_timeout(r);
}

void lookup_forget(struct lookup *l)
{
    if (l->by == NULL)
        return;
    drop_questions(l);
    deadline_stop(&l->patience);
    task_forget(&l->report);
    free(l->found.at);
    l->found = (struct dns_addresses){0};
    l->by = NULL;
}
