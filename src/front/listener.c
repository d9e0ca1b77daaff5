#include "front/listener.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "net/address.h"
#include "net/stream_uv.h"

#define BACKLOG                                                                                    \
    4096 /* so that no connection is lost while a daemon behind systemd's sockets restarts */
#define SOCKET_MODE 0660

/* ------------------------------------------------------------------ addresses */

static const struct sockaddr *address_of(const struct listener *l)
{
    return (const struct sockaddr *)&l->address.at;
}

static bool is_unix(const struct config_address *a)
{
    return a->at.ss_family == AF_UNIX;
}

static const char *path_of(const struct config_address *a)
{
    return ((const struct sockaddr_un *)&a->at)->sun_path;
}

static uint16_t port_of(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port);
    if (a->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)a)->sin6_port);
    return 0;
}

uint16_t listener_port(const struct listener *l)
{
    return port_of(address_of(l));
}

static bool same(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_UNIX)
        return strcmp(((const struct sockaddr_un *)(const void *)a)->sun_path,
                      ((const struct sockaddr_un *)(const void *)b)->sun_path) == 0;
    return port_of(a) == port_of(b) && address_same(a, b);
}

bool listener_is(const struct listener *l, const struct config_address *a)
{
    return same(address_of(l), (const struct sockaddr *)&a->at);
}

static bool is_wildcard(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr == INADDR_ANY;
    return a->sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static bool is_of_this_host(const struct sockaddr *a)
{
    struct ifaddrs *all;
    bool found = is_loopback(a) || is_wildcard(a);
    if (found || getifaddrs(&all) != 0)
        return found;
    for (struct ifaddrs *i = all; i && !found; i = i->ifa_next)
        found =
            i->ifa_addr && i->ifa_addr->sa_family == a->sa_family && address_same(i->ifa_addr, a);
    freeifaddrs(all);
    return found;
}

/* Connecting to the unspecified address is connecting to loopback. */
bool listener_answers(const struct listener *l, const struct sockaddr *addr)
{
    struct sockaddr_in four;
    const struct sockaddr *a = address_unmap(addr, &four), *own = address_of(l);
    if (same(own, a))
        return true;
    if (l->takes_ipv4 && a->sa_family == AF_INET && port_of(own) == port_of(a))
        return is_wildcard(own) && is_of_this_host(a);
    if (own->sa_family != a->sa_family || own->sa_family == AF_UNIX || port_of(own) != port_of(a))
        return false;
    return is_wildcard(own) ? is_of_this_host(a) : is_wildcard(a) && is_loopback(own);
}

/* ----------------------------------------------------------------------- unix */

/* Removes a socket that refuses connections: the process that made it is gone. Returns 0, or
 * libuv's error that says why the path cannot be bound. */
static int clear_stale(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    if (lstat(path, &st) != 0)
        return 0; /* bind() will report it */
    if (!S_ISSOCK(st.st_mode) || strlen(path) >= sizeof a.sun_path)
        return UV_EEXIST;
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    bool stale = connect(fd, (struct sockaddr *)&a, sizeof a) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!stale)
        return UV_EADDRINUSE;
    return unlink(path) == 0 ? 0 : -errno;
}

/* libuv reports EACCES where the folder does not exist (ENOENT). */
static bool lacks_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s/", (int)(slash ? slash - path : 0), path);
    return access(folder, F_OK) != 0 && errno == ENOENT;
}

/* No client can connect between bind() and listen(), so the mode is never too wide. */
static int bind_unix(struct listener *l)
{
    const char *path = path_of(&l->address);
    int error = clear_stale(path);
    if (error == 0)
        error = uv_pipe_bind(&l->uv.pipe, path);
    if (error == UV_EACCES && lacks_folder(path))
        error = UV_ENOENT;
    if (error == 0 && chmod(path, SOCKET_MODE) != 0)
        error = -errno;
    return error;
}

/* ------------------------------------------------------------------ accepting */

/* The two ends of a TCP connection. An IPv4 client of an IPv6 socket that accepts both
 * families is reported as an IPv4 one. False if it is gone already. */
static bool find_ends(const struct stream *s, struct connection_ends *ends)
{
    struct sockaddr_storage peer, local;
    struct sockaddr_in four;
    if (!stream_uv_peer(s, &peer) || !stream_uv_local(s, &local))
        return false;
    const struct sockaddr *a = address_unmap((const struct sockaddr *)&peer, &four);
    memcpy(&ends->peer, a, a->sa_family == AF_INET ? sizeof four : sizeof peer);
    address_literal(address_unmap((const struct sockaddr *)&local, &four), ends->local);
    return true;
}

static void on_connection(uv_stream_t *handle, int status)
{
    struct listener *l = handle->data;
    struct connection_ends ends = {.peer.ss_family = AF_UNIX};
    if (status < 0) {
        descriptors_complain(l->address.text, uv_strerror(status));
        return;
    }
    struct stream *stream = stream_uv_accept(l->loop, handle);
    if (stream == NULL)
        descriptors_complain(l->address.text, "a client cannot be accepted");
    else if (!is_unix(&l->address) && !find_ends(stream, &ends))
        stream_close(stream);
    else
        l->events->on_accept(l->owner, l, stream, &ends);
}

/* -------------------------------------------------------------------- opening */

static int bind_tcp(struct listener *l)
{
    const struct sockaddr *a = address_of(l);
    return uv_tcp_bind(&l->uv.tcp, a, a->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
}

static int init(struct listener *l)
{
    bool pipe = is_unix(&l->address);
    int error = pipe ? uv_pipe_init(loop_uv(l->loop), &l->uv.pipe, 0)
                     : uv_tcp_init(loop_uv(l->loop), &l->uv.tcp);
    l->uv.handle.data = l;
    return error;
}

static int bind_or_open(struct listener *l, int given)
{
    bool pipe = is_unix(&l->address);
    if (given >= 0)
        return pipe ? uv_pipe_open(&l->uv.pipe, given) : uv_tcp_open(&l->uv.tcp, given);
    return pipe ? bind_unix(l) : bind_tcp(l);
}

/* Binds, or takes over the socket `given` (-1: none); then listens. */
static struct listener *start(struct loop *loop, const struct config_address *address, int given,
                              const struct listener_events *events, void *owner, char *error,
                              size_t size)
{
    struct listener *l = NEW(struct listener);
    l->loop = loop;
    l->address = *address;
    l->address.text = must_strdup(address->text);
    l->given = given >= 0;
    l->events = events;
    l->owner = owner;
    CHECK(init(l) == 0);
    int status = bind_or_open(l, given);
    if (status == 0)
        status = uv_listen(&l->uv.stream, BACKLOG, on_connection);
    if (status == 0)
        return l;
    snprintf(error, size, "listen %s: %s", address->text, uv_strerror(status));
    listener_close(l);
    return NULL;
}

struct listener *listener_open(struct loop *loop, const struct config_address *address,
                               const struct listener_events *events, void *owner, char *error,
                               size_t size)
{
    return start(loop, address, -1, events, owner, error, size);
}

/* A name in the abstract namespace begins with a zero byte (unix(7)). */
static void name_address(struct config_address *a, char text[ADDRESS_TEXT])
{
    address_format(&a->at, text);
    if (is_unix(a) && a->len > offsetof(struct sockaddr_un, sun_path) && *path_of(a) == '\0')
        snprintf(text, ADDRESS_TEXT, "unix:@%.*s",
                 (int)(a->len - offsetof(struct sockaddr_un, sun_path) - 1), path_of(a) + 1);
    a->text = text;
}

static int socket_option(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, level, name, &value, &len) == 0 ? value : -1;
}

struct listener *listener_adopt(struct loop *loop, int fd, const struct listener_events *events,
                                void *owner, char *error, size_t size)
{
    char text[ADDRESS_TEXT];
    struct config_address a = {.len = sizeof a.at};
    bool listens = socket_option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 &&
                   socket_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
                   getsockname(fd, (struct sockaddr *)&a.at, &a.len) == 0;
    if (!listens || (a.at.ss_family != AF_INET && a.at.ss_family != AF_INET6 && !is_unix(&a))) {
        snprintf(error, size, "descriptor %d: not a listening TCP or unix socket", fd);
        close(fd);
        return NULL;
    }
    name_address(&a, text);
    bool takes_ipv4 =
        a.at.ss_family == AF_INET6 && socket_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
    struct listener *l = start(loop, &a, fd, events, owner, error, size);
    if (l)
        l->takes_ipv4 = takes_ipv4;
    return l;
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    free((char *)l->address.text);
    free(l->upstream);
    free(l);
}

/* libuv unlinks a path that it has bound itself, not that of an adopted socket. */
void listener_close(struct listener *l)
{
    list_remove(&l->link);
    uv_close(&l->uv.handle, on_closed);
}
