#include "config/exits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/percent.h"
#include "config/host.h"

#define SECRET_MAX 255 /* RFC 1929 2: lengths of one byte */

static bool deny(const char **why, const char *what)
{
    *why = what;
    return false;
}

/* ---------------------------------------------------------------- a source address */

/* An IPv4-mapped address is that IPv4 address. */
static bool read_ip(const char *text, struct sockaddr_storage *to)
{
    struct sockaddr_in *sin = (struct sockaddr_in *)(void *)to;
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)(void *)to;
    struct in6_addr ip;
    *to = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
        to->ss_family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, text, &ip) != 1)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&ip)) {
        to->ss_family = AF_INET;
        memcpy(&sin->sin_addr, &ip.s6_addr[12], sizeof sin->sin_addr);
    } else {
        to->ss_family = AF_INET6;
        sin6->sin6_addr = ip;
    }
    return true;
}

static bool can_be_source(const struct sockaddr_storage *at)
{
    const struct sockaddr_in *sin = (const struct sockaddr_in *)(const void *)at;
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)(const void *)at;
    if (at->ss_family == AF_INET)
        return sin->sin_addr.s_addr != htonl(INADDR_ANY) && ntohl(sin->sin_addr.s_addr) >> 28 < 14;
    return !IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr) && !IN6_IS_ADDR_MULTICAST(&sin6->sin6_addr);
}

static bool read_source(struct arena *a, struct config_exit *to, const char **why)
{
    char name[INET6_ADDRSTRLEN];
    const void *ip = to->source.ss_family == AF_INET
                         ? (const void *)&((struct sockaddr_in *)(void *)&to->source)->sin_addr
                         : (const void *)&((struct sockaddr_in6 *)(void *)&to->source)->sin6_addr;
    if (!can_be_source(&to->source))
        return deny(why, "is no address that a connection can come from");
    CHECK(inet_ntop(to->source.ss_family, ip, name, sizeof name) != NULL);
    to->kind = EXIT_SOURCE;
    to->name = arena_span(a, span_of(name)).at;
    return true;
}

/* ------------------------------------------------------------------------- a proxy */

/* NULL: it is malformed, too long, or has control characters, which no proxy takes. */
static const char *decode(struct arena *a, struct span text)
{
    char decoded[SECRET_MAX];
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++, len++) {
        int byte = (unsigned char)text.at[i];
        if (byte == '%' && (byte = percent_byte(text, i + 1)) >= 0)
            i += 2;
        if (byte < ' ' || byte == 0x7f || len == sizeof decoded)
            return NULL;
        decoded[len] = (char)byte;
    }
    return arena_span(a, (struct span){decoded, len}).at;
}

static bool read_userinfo(struct arena *a, struct span info, struct config_exit *to,
                          const char **why)
{
    size_t colon = span_find(info, ':');
    to->user = decode(a, span_first(info, colon));
    to->password = decode(a, span_from(info, colon < info.len ? colon + 1 : colon));
    if (to->user == NULL || to->password == NULL)
        return deny(why, "user name and password are percent-encoded (RFC 3986), without control "
                         "characters, of at most 255 bytes each");
    if (*to->user == '\0')
        return deny(why, "there is no user name before the @");
    if (to->kind == EXIT_HTTP && strchr(to->user, ':'))
        return deny(why, "the user name has a colon, which Basic credentials cannot bear");
    return true;
}

static bool has_port(struct span authority)
{
    size_t bracket = span_find(authority, ']');
    struct span rest = bracket < authority.len ? span_from(authority, bracket) : authority;
    return span_find(rest, ':') < rest.len;
}

/* The last @ ends the userinfo, so that a password with one that is not encoded is no host. */
static struct span take_userinfo(struct span *authority)
{
    size_t end = authority->len;
    while (end && authority->at[end - 1] != '@')
        end--;
    struct span info = span_first(*authority, end ? end - 1 : 0);
    *authority = span_from(*authority, end);
    return info;
}

static bool read_proxy(struct arena *a, struct span authority, const char *scheme,
                       struct config_exit *to, const char **why)
{
    struct host_origin origin;
    bool has_userinfo = span_find(authority, '@') < authority.len;
    struct span info = take_userinfo(&authority);
    if (has_userinfo && !read_userinfo(a, info, to, why))
        return false;
    if (!has_port(authority))
        return deny(why, "must have a port: host:port");
    const char *url = arena_printf(a, "http://%.*s", SPAN_ARG(authority));
    if (!host_origin_read(a, url, &origin, why))
        return false;
    bool is_ip6 = strchr(origin.host, ':');
    to->host = origin.host;
    to->port = origin.port;
    to->name = arena_printf(a, "%s://%s%s%s%s:%u", scheme, has_userinfo ? "***@" : "",
                            is_ip6 ? "[" : "", to->host, is_ip6 ? "]" : "", to->port);
    return true;
}

bool exits_read(struct arena *a, const char *text, struct config_exit *to, const char **why)
{
    static const struct {
        struct span prefix;
        enum config_exit_kind kind;
        const char *scheme;
    } schemes[] = {{{"socks5://", 9}, EXIT_SOCKS5, "socks5"},
                   {{"socks5h://", 10}, EXIT_SOCKS5, "socks5"},
                   {{"http://", 7}, EXIT_HTTP, "http"}};
    struct span all = span_of(text);
    *to = (struct config_exit){.text = arena_span(a, all).at};
    if (read_ip(text, &to->source))
        return read_source(a, to, why);
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (!span_starts_nocase(all, schemes[i].prefix))
            continue;
        to->kind = schemes[i].kind;
        return read_proxy(a, span_from(all, schemes[i].prefix.len), schemes[i].scheme, to, why);
    }
    if (span_starts_nocase(all, SPAN("https://")))
        return deny(why, "a proxy that is spoken to over TLS is not supported: http:// or "
                         "socks5:// (what goes through it is encrypted to the origin)");
    return deny(why, "must be an IP address, socks5://[user:password@]host:port or "
                     "http://[user:password@]host:port");
}

/* --------------------------------------------------------------------- which it is */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool exits_same(const struct config_exit *a, const struct config_exit *b)
{
    return a->kind == b->kind && a->port == b->port && same_text(a->host, b->host) &&
           same_text(a->user, b->user) && memcmp(&a->source, &b->source, sizeof a->source) == 0;
}

static uint64_t add(uint64_t hash, const char *text)
{
    size_t len = text ? strlen(text) + 1 : 0; /* with its end, so that no two run together */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return hash;
}

/* FNV-1a. */
uint64_t exits_hash(const struct config_exit *e)
{
    char port[16];
    snprintf(port, sizeof port, "%d:%u", (int)e->kind, e->port);
    uint64_t hash = add(UINT64_C(14695981039346656037), port);
    hash = add(hash, e->kind == EXIT_SOURCE ? e->name : e->host);
    return add(hash, e->user ? e->user : "");
}
