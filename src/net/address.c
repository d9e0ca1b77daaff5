#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/alloc.h"

static struct sockaddr_in *as_v4(struct sockaddr_storage *a)
{
    return (struct sockaddr_in *)(void *)a;
}

static struct sockaddr_in6 *as_v6(struct sockaddr_storage *a)
{
    return (struct sockaddr_in6 *)(void *)a;
}

/* "[::1]" without its brackets; false if it is too long for any literal. */
static bool unbracket(const char *host, char *out, size_t size)
{
    size_t len = strlen(host);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (host[0] == '[') {
        return false;
    }
    if (len >= size)
        return false;
    memcpy(out, host, len);
    out[len] = '\0';
    return true;
}

bool address_parse(const char *host, struct sockaddr_storage *out)
{
    char text[INET6_ADDRSTRLEN];
    *out = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (!unbracket(host, text, sizeof text))
        return false;
    if (host[0] != '[' && inet_pton(AF_INET, text, &as_v4(out)->sin_addr) == 1)
        out->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &as_v6(out)->sin6_addr) == 1)
        out->ss_family = AF_INET6;
    return out->ss_family != AF_UNSPEC;
}

bool address_localhost(const char *name, struct sockaddr_storage out[2])
{
    static const char suffix[] = ".localhost";
    size_t len = strlen(name), n = sizeof suffix - 1;
    if (strcmp(name, suffix + 1) != 0 && (len <= n || strcmp(name + len - n, suffix) != 0))
        return false;
    return address_parse("::1", &out[0]) && address_parse("127.0.0.1", &out[1]);
}

void address_literal(const struct sockaddr *a, char text[INET6_ADDRSTRLEN])
{
    text[0] = '\0';
    if (a->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, text,
                  INET6_ADDRSTRLEN);
    else if (a->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, text,
                  INET6_ADDRSTRLEN);
}

const struct sockaddr *address_unmap(const struct sockaddr *a, struct sockaddr_in *to)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
    if (a->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return a;
    *to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = six->sin6_port};
    memcpy(&to->sin_addr, six->sin6_addr.s6_addr + 12, 4);
    return (const struct sockaddr *)to;
}

bool address_same(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
        return x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
        return memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
    }
    return false;
}

void address_set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET)
        as_v4(a)->sin_port = htons(port);
    else if (a->ss_family == AF_INET6)
        as_v6(a)->sin6_port = htons(port);
}

void address_format(const struct sockaddr_storage *a, char text[ADDRESS_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)a;
        inet_ntop(AF_INET, &v4->sin_addr, ip, sizeof ip);
        snprintf(text, ADDRESS_TEXT, "%s:%u", ip, ntohs(v4->sin_port));
    } else if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)a;
        inet_ntop(AF_INET6, &v6->sin6_addr, ip, sizeof ip);
        snprintf(text, ADDRESS_TEXT, "[%s]:%u", ip, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_un *un = (const void *)a;
        snprintf(text, ADDRESS_TEXT, "unix:%.*s", (int)sizeof un->sun_path, un->sun_path);
    }
}

bool addresses_have(const struct dns_addresses *list, const struct sockaddr *addr)
{
    for (size_t i = 0; i < list->count; i++)
        if (address_same((const struct sockaddr *)&list->at[i], addr))
            return true;
    return false;
}

/* The index of the next address, from `from` on, that is (or is not) IPv6. */
static size_t next_of(const struct dns_addresses *list, size_t from, bool v6)
{
    while (from < list->count && (list->at[from].ss_family == AF_INET6) != v6)
        from++;
    return from;
}

void addresses_interleave(struct dns_addresses *list)
{
    if (list->count < 2)
        return;
    struct sockaddr_storage *sorted = must_calloc(list->count, sizeof *sorted);
    size_t n = 0, v6 = next_of(list, 0, true), v4 = next_of(list, 0, false);
    while (n < list->count) {
        if (v6 < list->count) {
            sorted[n++] = list->at[v6];
            v6 = next_of(list, v6 + 1, true);
        }
        if (v4 < list->count) {
            sorted[n++] = list->at[v4];
            v4 = next_of(list, v4 + 1, false);
        }
    }
    free(list->at);
    list->at = sorted;
}
