#include "net/resolver.h"

#include <ares.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"

/* The first try is short, so that one lost datagram costs an asker little;
 * c-ares doubles it: 0.7 + 1.4 + 2.8 s in all, for each server. */
#define TRY_MS 700
#define TRIES 3

#define SOCKET_MAGIC 0x50c4e701u
#define RESOLVER_MAGIC 0x4e501e42u

struct resolver {
    unsigned magic;
    struct link link; /* on its owner's list of retired ones, or on none */
    struct loop *loop;
    ares_channel channel;
    struct list sockets;
    struct deadline timeout;
    struct task end;
    size_t under_way; /* lookups c-ares has not answered yet */
};

/* A socket of c-ares, as long as that has it open; freed by libuv's callback. */
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

/* An error of the socket is told to c-ares as both: it finds out by itself. */
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

/* c-ares opened a socket, waits for something else, or is about to close it. */
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

/* Names are absolute: no search list, no aliases of the environment. */
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

static struct dns_addresses collect(const struct ares_addrinfo *info)
{
    size_t room = 0;
    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next)
        room++;
    struct dns_addresses list = {room ? must_calloc(room, sizeof *list.at) : NULL, 0};
    for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
        if (n->ai_family != AF_INET && n->ai_family != AF_INET6)
            continue;
        if (!addresses_have(&list, n->ai_addr))
            memcpy(&list.at[list.count++], n->ai_addr, (size_t)n->ai_addrlen);
    }
    addresses_interleave(&list);
    return list;
}

/* c-ares sums up three cases as ECONNREFUSED. */
static void explain(struct lookup *l, int status)
{
    l->why = status == ARES_ETIMEOUT ? FAILURE_DNS_TIMEOUT : FAILURE_DNS_ERROR;
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

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct lookup *l = arg;
    struct resolver *r = l->by;
    MAGIC_CHECK(r, RESOLVER_MAGIC);
    (void)timeouts;
    if (status == ARES_SUCCESS) {
        l->found = collect(info);
        l->ttl_ms = shortest_ttl(info);
    }
    if (l->found.count == 0)
        explain(l, status == ARES_SUCCESS ? ARES_ENODATA : status);
    if (info)
        ares_freeaddrinfo(info);
    loop_defer(r->loop, &l->told);
    if (--r->under_way == 0 && r->link.on)
        loop_defer(r->loop, &r->end);
}

static void run_told(struct task *t)
{
    struct lookup *l = container_of(t, struct lookup, told);
    l->by = NULL;
    l->done(l);
}

void resolver_ask(struct resolver *r, struct lookup *l, const char *name)
{
    static const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    CHECK(l->by == NULL && r->link.on == NULL);
    l->by = r;
    l->found = (struct dns_addresses){0};
    l->why = FAILURE_NONE;
    task_init(&l->told, run_told);
    r->under_way++;
    ares_getaddrinfo(r->channel, name, NULL, &hints, on_answer, l);
    set_timeout(r);
}

void lookup_forget(struct lookup *l)
{
    if (l->by == NULL)
        return;
    task_forget(&l->told);
    free(l->found.at);
    l->found = (struct dns_addresses){0};
    l->by = NULL;
}
