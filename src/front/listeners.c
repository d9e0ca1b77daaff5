#include "front/listeners.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "config/endpoint.h"
#include "front/listener.h"
#include "net/address.h"
#include "net/stream_uv.h"

struct listeners {
    struct loop *loop;
    struct clients *clients;
    struct list open;
    struct config_cidr *allowed;
    size_t allowed_count;
    bool given; /* adopted sockets take the place of `listen` */
};

/* ------------------------------------------------------------ who may connect */

/* The bytes of an IP address, in network order. */
static size_t address_bytes(const struct sockaddr_storage *a, const uint8_t **bytes)
{
    if (a->ss_family == AF_INET) {
        *bytes = (const uint8_t *)&((const struct sockaddr_in *)a)->sin_addr;
        return 4;
    }
    *bytes = (const uint8_t *)&((const struct sockaddr_in6 *)a)->sin6_addr;
    return a->ss_family == AF_INET6 ? 16 : 0;
}

static bool is_within(const struct sockaddr_storage *a, const struct config_cidr *cidr)
{
    const uint8_t *own, *net;
    size_t size = address_bytes(a, &own);
    unsigned whole = cidr->prefix / 8, rest = cidr->prefix % 8;
    if (a->ss_family != cidr->network.ss_family || address_bytes(&cidr->network, &net) != size ||
        cidr->prefix > size * 8)
        return false;
    if (memcmp(own, net, whole) != 0)
        return false;
    return rest == 0 || (own[whole] ^ net[whole]) >> (8 - rest) == 0;
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    static const uint8_t one[16] = {[15] = 1};
    const uint8_t *bytes;
    size_t size = address_bytes(a, &bytes);
    return size == 4 ? bytes[0] == 127 : size == 16 && memcmp(bytes, one, 16) == 0;
}

static bool may_connect(const struct listeners *ls, const struct sockaddr_storage *peer)
{
    for (size_t i = 0; i < ls->allowed_count; i++)
        if (is_within(peer, &ls->allowed[i]))
            return true;
    return false;
}

static void hand_over(struct listeners *ls, const struct listener *listener, struct stream *stream,
                      const struct ingress *in)
{
    enum descriptors left = descriptors_beside(stream_uv_fd(stream));
    if (left != DESCRIPTORS_ENOUGH)
        descriptors_complain(listener->address.text, "a client is refused");
    if (left == DESCRIPTORS_ENOUGH)
        clients_accept(ls->clients, stream, in);
    else if (left == DESCRIPTORS_FEW)
        clients_turn_away(ls->clients, stream, in, "trunkline is out of file descriptors");
    else
        clients_reject(ls->clients, stream);
}

/* The user at the other end, as the kernel recorded it on connecting (SO_PEERCRED, unix(7)). */
static void note_unix_peer(struct ingress *in, const struct listener *listener,
                           const struct stream *stream)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    struct span text = span_of(listener->address.text);
    in->is_unix = true;
    in->socket = span_starts(text, SPAN("unix:")) ? text.at + sizeof "unix:" - 1 : text.at;
    in->has_uid = getsockopt(stream_uv_fd(stream), SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0;
    in->uid = in->has_uid ? peer.uid : 0;
}

static void accept_client(void *owner, struct listener *listener, struct stream *stream,
                          const struct connection_ends *ends)
{
    struct listeners *ls = owner;
    const struct sockaddr_storage *peer = &ends->peer;
    struct ingress in = {.upstream = listener->upstream, .port = listener_port(listener)};
    char text[ADDRESS_TEXT] = "unix";
    if (peer->ss_family == AF_UNIX)
        note_unix_peer(&in, listener, stream);
    else
        address_format(peer, text);
    in.is_loopback = in.is_unix || is_loopback(peer);
    snprintf(in.client, sizeof in.client, "%.*s", (int)sizeof in.client - 1, text);
    snprintf(in.address, sizeof in.address, "%s", ends->local);
    if (in.is_loopback || may_connect(ls, peer)) {
        hand_over(ls, listener, stream, &in);
        return;
    }
    LOG(DEBUG, in.client, "refused by allow_clients");
    clients_reject(ls->clients, stream);
}

static const struct listener_events listener_events = {accept_client};

/* ------------------------------------------------------------------- applying */

static struct listener *find(const struct listeners *ls, const struct config_address *address)
{
    LIST_FOR (&ls->open, l, struct listener, link)
        if (listener_is(l, address))
            return l;
    return NULL;
}

const char *listeners_error(const struct config *c, const struct config_address *a,
                            const char *words, char *message, size_t size)
{
    int line = a ? a->line : c->listen_line;
    if (line > 0)
        snprintf(message, size, "%s:%d: %s", c->path, line, words);
    else if (a == NULL && c->path && *c->path) /* an empty list has no line */
        snprintf(message, size, "%s: %s", c->path, words);
    else
        snprintf(message, size, "%s", words);
    return message;
}

/* Marks the listener of one address as wanted; opens it if need be, on `opened`. */
static bool want(struct listeners *ls, const struct config_address *address, struct list *opened,
                 char *error, size_t size)
{
    struct listener *l = find(ls, address);
    if (l && l->wanted) {
        snprintf(error, size, "listen %s: named twice", address->text);
        return false;
    }
    LIST_FOR (opened, other, struct listener, link)
        if (listener_is(other, address)) {
            snprintf(error, size, "listen %s: named twice", address->text);
            return false;
        }
    if (l == NULL) {
        l = listener_open(ls->loop, address, &listener_events, ls, error, size);
        if (l == NULL)
            return false;
        list_push_back(opened, &l->link);
    }
    l->wanted = true;
    return true;
}

static bool want_all(struct listeners *ls, const struct config *c,
                     const struct config_addresses *addresses, struct list *opened, char *error,
                     size_t size)
{
    char words[300];
    for (size_t i = 0; i < addresses->count; i++) {
        if (!want(ls, &addresses->at[i], opened, words, sizeof words)) {
            listeners_error(c, &addresses->at[i], words, error, size);
            return false;
        }
    }
    return true;
}

static bool is_any_wanted(const struct listeners *ls, const struct list *opened)
{
    LIST_FOR (&ls->open, l, struct listener, link)
        if (l->wanted || l->given)
            return true;
    return opened->count > 0;
}

static void name_listener(struct listener *l, const char *upstream)
{
    free(l->upstream);
    l->upstream = upstream ? must_strdup(upstream) : NULL;
}

static void name_all(struct listeners *ls, const struct config *config)
{
    LIST_FOR (&ls->open, l, struct listener, link)
        name_listener(l, NULL);
    for (size_t i = 0; i < config->upstream_count; i++)
        for (size_t k = 0; k < config->upstreams[i]->listen.count; k++)
            name_listener(find(ls, &config->upstreams[i]->listen.at[k]),
                          config->upstreams[i]->name);
}

static void copy_allowed(struct listeners *ls, const struct config_cidrs *from)
{
    free(ls->allowed);
    ls->allowed_count = from->count;
    ls->allowed = must_calloc(from->count + 1, sizeof *ls->allowed);
    if (from->count)
        memcpy(ls->allowed, from->at, from->count * sizeof *ls->allowed);
}

static void keep_wanted(struct listeners *ls, struct list *opened)
{
    LIST_FOR (&ls->open, l, struct listener, link)
        if (!l->wanted && !l->given)
            listener_close(l);
    LIST_FOR (opened, l, struct listener, link) {
        list_remove(&l->link);
        list_push_back(&ls->open, &l->link);
        LOG(INFO, l->address.text, "listening");
    }
}

/* The operator may have meant to change them. */
static void warn_of_replaced(const struct listeners *ls, const struct config_addresses *listen)
{
    for (size_t i = 0; ls->given && i < listen->count; i++)
        if (!listeners_own(ls, (const struct sockaddr *)&listen->at[i].at))
            LOG(WARN, "listen", "%s is not opened: the sockets of systemd take the place of listen",
                listen->at[i].text);
}

/* As a `listen`, this address would have been refused without allow_clients. */
static void warn_of_local_only(const struct listeners *ls)
{
    LIST_FOR (&ls->open, l, struct listener, link)
        if (l->given && ls->allowed_count == 0 && !endpoint_is_local(&l->address))
            LOG(WARN, l->address.text,
                "serves this machine only: without allow_clients, connections from others are "
                "refused");
}

bool listeners_apply(struct listeners *ls, const struct config *config, char *error, size_t size)
{
    struct list opened;
    list_init(&opened);
    LIST_FOR (&ls->open, l, struct listener, link)
        l->wanted = false;
    bool good = ls->given || want_all(ls, config, &config->listen, &opened, error, size);
    for (size_t i = 0; good && i < config->upstream_count; i++)
        good = want_all(ls, config, &config->upstreams[i]->listen, &opened, error, size);
    if (good && !is_any_wanted(ls, &opened)) {
        listeners_error(config, NULL, LISTENERS_NOWHERE, error, size);
        return false;
    }
    if (!good) {
        LIST_FOR (&opened, l, struct listener, link)
            listener_close(l);
        return false;
    }
    keep_wanted(ls, &opened);
    name_all(ls, config);
    copy_allowed(ls, &config->allow_clients);
    warn_of_replaced(ls, &config->listen);
    warn_of_local_only(ls);
    return true;
}

bool listeners_adopt(struct listeners *ls, int fd, char *error, size_t size)
{
    struct listener *l = listener_adopt(ls->loop, fd, &listener_events, ls, error, size);
    if (l == NULL)
        return false;
    list_push_back(&ls->open, &l->link);
    ls->given = true;
    LOG(INFO, l->address.text, "listening (socket activation)");
    return true;
}

/* ----------------------------------------------------------------------- life */

struct listeners *listeners_new(struct loop *loop, struct clients *clients)
{
    struct listeners *ls = NEW(struct listeners);
    ls->loop = loop;
    ls->clients = clients;
    list_init(&ls->open);
    return ls;
}

bool listeners_own(const struct listeners *ls, const struct sockaddr *addr)
{
    LIST_FOR (&ls->open, l, struct listener, link)
        if (listener_answers(l, addr))
            return true;
    return false;
}

void listeners_close(struct listeners *ls)
{
    LIST_FOR (&ls->open, l, struct listener, link)
        listener_close(l);
}

void listeners_free(struct listeners *ls)
{
    if (ls == NULL)
        return;
    listeners_close(ls);
    free(ls->allowed);
    free(ls);
}
