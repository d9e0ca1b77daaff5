#include "config/host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#define NAME_MAX_LEN 253 /* RFC 1035 2.3.4, without the final dot */
#define LABEL_MAX_LEN 63

static bool label_is_plain(struct span label)
{
    if (label.len == 0 || label.len > LABEL_MAX_LEN)
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!isalnum((unsigned char)label.at[i]) && label.at[i] != '-' && label.at[i] != '_')
            return false;
    return true;
}

static bool all_digits(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isdigit((unsigned char)s.at[i]))
            return false;
    return s.len > 0;
}

/* A name whose last label is a number is valid only as an IPv4 address. */
static bool name_is_plain(struct span name)
{
    char address[INET_ADDRSTRLEN];
    struct in_addr ip;
    struct span rest = name, label = {0};
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return false;
    for (bool more = true; more;) {
        size_t dot = span_find(rest, '.');
        label = span_first(rest, dot);
        more = dot < rest.len;
        rest = span_from(rest, dot + 1);
        if (!label_is_plain(label))
            return false;
    }
    if (!all_digits(label))
        return true;
    snprintf(address, sizeof address, "%.*s", SPAN_ARG(name));
    return name.len < sizeof address && inet_pton(AF_INET, address, &ip) == 1;
}

const char *host_name_read(struct arena *a, struct span text)
{
    if (text.len && text.at[text.len - 1] == '.')
        text.len--;
    if (!name_is_plain(text))
        return NULL;
    char *name = arena_alloc(a, text.len + 1);
    for (size_t i = 0; i < text.len; i++)
        name[i] = (char)tolower((unsigned char)text.at[i]);
    return name;
}

static const char *ip6_read(struct arena *a, struct span text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr ip;
    if (text.len >= sizeof address)
        return NULL;
    snprintf(address, sizeof address, "%.*s", SPAN_ARG(text));
    if (inet_pton(AF_INET6, address, &ip) != 1)
        return NULL;
    return inet_ntop(AF_INET6, &ip, arena_alloc(a, INET6_ADDRSTRLEN), INET6_ADDRSTRLEN);
}

const char *host_read(struct arena *a, struct span text)
{
    return span_find(text, ':') < text.len ? ip6_read(a, text) : host_name_read(a, text);
}

uint16_t host_port_read(struct span text)
{
    unsigned port = 0;
    if (!all_digits(text) || text.len > 5)
        return 0;
    for (size_t i = 0; i < text.len; i++)
        port = port * 10 + (unsigned)(text.at[i] - '0');
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* Splits "host" or "[IP6]" from the front of an authority. */
static const char *take_host(struct arena *a, struct span *authority)
{
    struct span host;
    if (authority->len && authority->at[0] == '[') {
        size_t end = span_find(*authority, ']');
        if (end == authority->len)
            return NULL;
        host = (struct span){authority->at + 1, end - 1};
        *authority = span_from(*authority, end + 1);
        return ip6_read(a, host);
    }
    host = span_first(*authority, span_find(*authority, ':'));
    *authority = span_from(*authority, host.len);
    return host_name_read(a, host);
}

bool host_origin_read(struct arena *a, const char *url, struct host_origin *o, const char **why)
{
    struct span rest = span_of(url);
    *why = "must be https://host[:port] or http://host[:port]";
    if (span_starts_nocase(rest, SPAN("https://")))
        *o = (struct host_origin){.secure = true, .port = 443};
    else if (span_starts_nocase(rest, SPAN("http://")))
        *o = (struct host_origin){.secure = false, .port = 80};
    else
        return false;
    rest = span_from(rest, o->secure ? 8 : 7);
    if (span_find(rest, '@') < rest.len) {
        *why = "must not contain a user name or a password";
        return false;
    }
    if (rest.len && rest.at[rest.len - 1] == '/')
        rest.len--;
    if (span_find(rest, '/') < rest.len || span_find(rest, '?') < rest.len ||
        span_find(rest, '#') < rest.len) {
        *why = "must end after host and port: no path, query or fragment";
        return false;
    }
    o->host = take_host(a, &rest);
    if (o->host == NULL) {
        *why = "the host is neither a plain name nor an IP address";
        return false;
    }
    if (rest.len && rest.at[0] != ':')
        return false;
    if (rest.len)
        o->port = host_port_read(span_from(rest, 1));
    if (o->port == 0)
        *why = "the port must be a number from 1 to 65535";
    return o->port != 0;
}
