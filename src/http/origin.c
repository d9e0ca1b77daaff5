#include "http/origin.h"

#include <arpa/inet.h>

#define MAX_NAME 253 /* RFC 1035 2.3.4, as text */
#define MAX_LABEL 63

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static bool label_is_sane(struct span label)
{
    if (label.len == 0 || label.len > MAX_LABEL)
        return false;
    return label.at[0] != '-' && label.at[label.len - 1] != '-';
}

/* "7", "0x7f": a resolver would take a name that ends in such a label for an address. */
static bool label_is_number(struct span label)
{
    bool hex = label.len > 2 && label.at[0] == '0' && label.at[1] == 'x';
    for (size_t i = hex ? 2 : 0; i < label.len; i++)
        if (hex ? !is_hex_digit(label.at[i]) : !is_digit(label.at[i]))
            return false;
    return true;
}

static bool name_is_sane(struct span name)
{
    size_t begin = 0;
    if (name.len > MAX_NAME)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] != '.' && !is_name_char(name.at[i]))
            return false;
        if (name.at[i] != '.')
            continue;
        if (!label_is_sane((struct span){name.at + begin, i - begin}))
            return false;
        begin = i + 1;
    }
    struct span last = span_from(name, begin);
    return label_is_sane(last) && !label_is_number(last);
}

/* A registered name or an IPv4 address, in lower case and without a trailing dot. */
static bool plain_host(struct arena *arena, struct span text, struct span *host, bool *is_ip)
{
    struct in_addr ignored;
    if (text.len && text.at[text.len - 1] == '.')
        text.len--;
    if (text.len == 0 || text.len > MAX_NAME)
        return false;
    char *copy = arena_alloc(arena, text.len + 1);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = lower(text.at[i]);
    *host = (struct span){copy, text.len};
    *is_ip = is_digit(copy[text.len - 1]) && strlen(copy) == text.len &&
             inet_pton(AF_INET, copy, &ignored) == 1;
    return *is_ip || name_is_sane(*host);
}

/* The IPv6 address between brackets, in canonical form (RFC 5952). */
static bool bracketed_host(struct arena *arena, struct span text, struct span *host)
{
    char copy[INET6_ADDRSTRLEN] = "";
    struct in6_addr address;
    if (text.len >= sizeof copy || memchr(text.at, '\0', text.len))
        return false;
    memcpy(copy, text.at, text.len);
    if (inet_pton(AF_INET6, copy, &address) != 1)
        return false;
    inet_ntop(AF_INET6, &address, copy, sizeof copy);
    *host = arena_span(arena, span_of(copy));
    return true;
}

/* "" and ":" mean that there is none (RFC 3986 3.2.3). */
static bool port_parse(struct span text, uint16_t *port)
{
    unsigned value = 0;
    *port = 0;
    if (text.len == 0)
        return true;
    if (text.at[0] != ':' || text.len > 6)
        return false;
    for (size_t i = 1; i < text.len; i++) {
        if (!is_digit(text.at[i]))
            return false;
        value = value * 10 + (unsigned)(text.at[i] - '0');
    }
    if (text.len > 1 && (value == 0 || value > UINT16_MAX))
        return false;
    *port = (uint16_t)value;
    return true;
}

bool authority_parse(struct arena *arena, struct span text, struct span *host, uint16_t *port,
                     bool *is_ip)
{
    *is_ip = false;
    if (text.len && text.at[0] == '[') {
        size_t end = span_find(text, ']');
        if (end == text.len)
            return false;
        *is_ip = true;
        return port_parse(span_from(text, end + 1), port) &&
               bracketed_host(arena, span_from(span_first(text, end), 1), host);
    }
    size_t colon = span_find(text, ':');
    return port_parse(span_from(text, colon), port) &&
           plain_host(arena, span_first(text, colon), host, is_ip);
}

bool origin_parse(struct arena *arena, struct span url, struct origin *origin, struct span *rest)
{
    origin->secure = span_starts_nocase(url, SPAN("https://"));
    if (!origin->secure && !span_starts_nocase(url, SPAN("http://")))
        return false;
    url = span_from(url, origin->secure ? 8 : 7);
    size_t end = 0;
    while (end < url.len && !memchr("/?#", url.at[end], 3))
        end++;
    *rest = span_from(url, end);
    if (!authority_parse(arena, span_first(url, end), &origin->host, &origin->port, &origin->is_ip))
        return false;
    if (origin->port == 0)
        origin->port = origin->secure ? 443 : 80;
    return true;
}

struct span origin_authority(struct arena *arena, const struct origin *o, bool full)
{
    bool v6 = span_find(o->host, ':') < o->host.len;
    bool with_port = full || o->port != (o->secure ? 443 : 80);
    if (!v6 && !with_port)
        return o->host;
    const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
    if (!with_port)
        return span_of(arena_printf(arena, "%s%.*s%s", open, SPAN_ARG(o->host), close));
    return span_of(
        arena_printf(arena, "%s%.*s%s:%u", open, SPAN_ARG(o->host), close, (unsigned)o->port));
}

bool origin_is(const struct origin *a, const struct origin *b)
{
    return a->secure == b->secure && a->port == b->port && span_is(a->host, b->host);
}
