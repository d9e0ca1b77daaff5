#include "config/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#include "config/host.h"

#define UNIX_PREFIX "unix:"

static bool unix_read(struct span path, struct config_address *to, const char **why)
{
    struct sockaddr_un *sun = (struct sockaddr_un *)(void *)&to->at;
    *why = "the path of a unix socket must begin with /";
    if (path.len == 0 || path.at[0] != '/')
        return false;
    *why = "the path of a unix socket has at most 107 bytes";
    if (path.len >= sizeof sun->sun_path)
        return false;
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, path.at, path.len);
    to->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return true;
}

/* Reads an IP literal into an address with port 0; false if the text is not an IP literal. */
static bool ip_read(struct span text, struct sockaddr_storage *to, socklen_t *len)
{
    struct sockaddr_in *sin = (struct sockaddr_in *)(void *)to;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)(void *)to;
    char address[INET6_ADDRSTRLEN];
    if (text.len >= sizeof address)
        return false;
    snprintf(address, sizeof address, "%.*s", SPAN_ARG(text));
    if (inet_pton(AF_INET, address, &sin->sin_addr) == 1) {
        sin->sin_family = AF_INET;
        *len = sizeof *sin;
        return true;
    }
    if (inet_pton(AF_INET6, address, &sin6->sin6_addr) == 1) {
        sin6->sin6_family = AF_INET6;
        *len = sizeof *sin6;
        return true;
    }
    return false;
}

/* Splits "[IP6]:PORT" or "IP:PORT" into its two parts. */
static bool split_port(struct span all, struct span *ip, struct span *port, int *family)
{
    bool brackets = all.len && all.at[0] == '[';
    size_t end = span_find(all, brackets ? ']' : ':');
    *family = brackets ? AF_INET6 : AF_INET;
    *ip = brackets ? span_from(span_first(all, end), 1) : span_first(all, end);
    *port = span_from(all, brackets ? end + 2 : end + 1);
    return end < all.len && (!brackets || (end + 1 < all.len && all.at[end + 1] == ':'));
}

bool endpoint_read(struct arena *a, const char *text, struct config_address *to, const char **why)
{
    struct span all = span_of(text), ip, port;
    int family;
    *to = (struct config_address){.text = arena_span(a, all).at};
    if (span_starts(all, SPAN(UNIX_PREFIX)))
        return unix_read(span_from(all, sizeof UNIX_PREFIX - 1), to, why);
    *why = "must be IP:PORT, [IP6]:PORT or unix:/path (an address, not a name)";
    if (!split_port(all, &ip, &port, &family) || !ip_read(ip, &to->at, &to->len) ||
        to->at.ss_family != family)
        return false;
    uint16_t number = host_port_read(port);
    *why = "the port must be a number from 1 to 65535";
    if (family == AF_INET)
        ((struct sockaddr_in *)(void *)&to->at)->sin_port = htons(number);
    else
        ((struct sockaddr_in6 *)(void *)&to->at)->sin6_port = htons(number);
    return number != 0;
}

bool endpoint_is_local(const struct config_address *address)
{
    const struct sockaddr_in *sin = (const struct sockaddr_in *)(const void *)&address->at;
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)(const void *)&address->at;
    switch (address->at.ss_family) {
    case AF_UNIX: return true;
    case AF_INET: return ntohl(sin->sin_addr.s_addr) >> 24 == 127;
    default:
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr) && sin6->sin6_addr.s6_addr[12] == 127);
    }
}

bool endpoint_is(const struct config_address *a, const struct config_address *b)
{
    return a->len == b->len && memcmp(&a->at, &b->at, a->len) == 0;
}

static bool is_unspecified(const struct config_address *a)
{
    const struct sockaddr_in *sin = (const struct sockaddr_in *)(const void *)&a->at;
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)(const void *)&a->at;
    return a->at.ss_family == AF_INET    ? sin->sin_addr.s_addr == htonl(INADDR_ANY)
           : a->at.ss_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr)
                                         : false;
}

bool endpoint_collides(const struct config_address *a, const struct config_address *b)
{
    const struct sockaddr_in *one = (const struct sockaddr_in *)(const void *)&a->at;
    const struct sockaddr_in *other = (const struct sockaddr_in *)(const void *)&b->at;
    if (endpoint_is(a, b))
        return true;
    return a->at.ss_family == b->at.ss_family && (is_unspecified(a) || is_unspecified(b)) &&
           one->sin_port == other->sin_port; /* at the same offset in sockaddr_in6 */
}

/* Sets `bytes` to the bytes of an IP address, and returns how many there are. */
static size_t ip_bytes(struct sockaddr_storage *at, uint8_t **bytes)
{
    if (at->ss_family == AF_INET) {
        *bytes = (uint8_t *)&((struct sockaddr_in *)(void *)at)->sin_addr;
        return 4;
    }
    *bytes = (uint8_t *)&((struct sockaddr_in6 *)(void *)at)->sin6_addr;
    return 16;
}

static bool prefix_read(struct span text, unsigned *prefix)
{
    *prefix = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        *prefix = *prefix * 10 + (unsigned)(text.at[i] - '0');
    }
    return text.len > 0 && text.len <= 3;
}

bool cidr_read(const char *text, struct config_cidr *to, const char **why)
{
    struct span all = span_of(text);
    size_t slash = span_find(all, '/');
    uint8_t *bytes;
    socklen_t len;
    *to = (struct config_cidr){0};
    *why = "must be a network such as 10.0.0.0/8, fd00::/8 or 192.0.2.7";
    if (!ip_read(span_first(all, slash), &to->network, &len))
        return false;
    size_t count = ip_bytes(&to->network, &bytes);
    to->prefix = (unsigned)count * 8;
    if (slash < all.len &&
        (!prefix_read(span_from(all, slash + 1), &to->prefix) || to->prefix > count * 8))
        return false;
    for (size_t bit = to->prefix; bit < count * 8; bit++)
        bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    return true;
}

void cidr_print(const struct config_cidr *cidr, struct text *out)
{
    char address[INET6_ADDRSTRLEN];
    struct sockaddr_storage network = cidr->network;
    uint8_t *bytes;
    ip_bytes(&network, &bytes);
    CHECK(inet_ntop(network.ss_family, bytes, address, sizeof address) != NULL);
    text_printf(out, "%s/%u", address, cidr->prefix);
}
