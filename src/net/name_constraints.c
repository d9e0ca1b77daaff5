#include "net/name_constraints.h"

#include <ctype.h>
#include <mbedtls/asn1write.h>

/* Tags of RFC 5280's NameConstraints and GeneralName. */
#define TAG_PERMITTED (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 0)
#define TAG_EXCLUDED (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 1)
#define TAG_DNS_NAME (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2)
#define TAG_DIRECTORY_NAME (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 4)
#define TAG_IP_ADDRESS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7)
#define TAG_SEQUENCE (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)

#define HEADER_MAX 6 /* of one tag with its length */
#define IP4_LEN 8    /* an address and its mask */
#define IP6_LEN 32

/* ------------------------------------------------------------------- writing */

/* mbedTLS writes backwards, from the end of the buffer to its start. */
struct writer {
    unsigned char *at, *start;
};

static void write_header(struct writer *w, unsigned char tag, const unsigned char *end)
{
    CHECK(mbedtls_asn1_write_len(&w->at, w->start, (size_t)(end - w->at)) > 0);
    CHECK(mbedtls_asn1_write_tag(&w->at, w->start, tag) > 0);
}

static void write_subtree(struct writer *w, unsigned char tag, const void *name, size_t len)
{
    const unsigned char *end = w->at;
    CHECK(mbedtls_asn1_write_raw_buffer(&w->at, w->start, name, len) >= 0);
    write_header(w, tag, end);
    write_header(w, TAG_SEQUENCE, end);
}

void name_constraints_write(const char *const *hosts, size_t count, struct text *der)
{
    static const unsigned char every_address[IP6_LEN];
    size_t size = IP4_LEN + IP6_LEN + 7 * HEADER_MAX;
    for (size_t i = 0; i < count; i++)
        size += strlen(hosts[i]) + 2 * HEADER_MAX;
    unsigned char *buffer = must_calloc(1, size), *end = buffer + size, *middle;
    struct writer w = {end, buffer};
    write_subtree(&w, TAG_IP_ADDRESS, every_address, IP6_LEN);
    write_subtree(&w, TAG_IP_ADDRESS, every_address, IP4_LEN);
    write_header(&w, TAG_EXCLUDED, end);
    middle = w.at;
    for (size_t i = count; i-- > 0;)
        write_subtree(&w, TAG_DNS_NAME, hosts[i], strlen(hosts[i]));
    write_header(&w, TAG_PERMITTED, middle);
    write_header(&w, TAG_SEQUENCE, end);
    text_add(der, (struct span){(char *)w.at, (size_t)(end - w.at)});
    free(buffer);
}

/* ------------------------------------------------------------------- reading */

struct reader {
    unsigned char *at; /* mbedTLS wants it so; nothing is written */
    const unsigned char *end;
};

/* Steps into what has this tag; `r` goes on behind it. */
static bool enter(struct reader *r, int tag, struct reader *inside)
{
    size_t len;
    if (mbedtls_asn1_get_tag(&r->at, r->end, &len, tag) != 0)
        return false;
    *inside = (struct reader){r->at, r->at + len};
    r->at += len;
    return true;
}

static bool is_at(const struct reader *r, int tag)
{
    return r->at < r->end && *r->at == tag;
}

static bool add_name(char ***names, size_t *count, const struct reader *name)
{
    size_t len = (size_t)(name->end - name->at);
    char *copy = must_strndup((char *)name->at, len);
    *names = must_realloc(*names, (*count + 1) * sizeof(char *));
    (*names)[(*count)++] = copy;
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return strlen(copy) == len;
}

/* Minimum and maximum are not to be there, RFC 5280 4.2.1.10. Kinds of names
 * that a leaf has none of do not bear on it. */
static bool read_subtree(struct reader *list, char ***names, size_t *count, const char **why)
{
    struct reader subtree, name;
    *why = "its name constraints are malformed";
    if (!enter(list, TAG_SEQUENCE, &subtree) || subtree.at == subtree.end)
        return false;
    int tag = *subtree.at;
    if (!enter(&subtree, tag, &name) || subtree.at != subtree.end)
        return false;
    if (tag == TAG_DNS_NAME)
        return add_name(names, count, &name);
    *why = "its name constraints are about directory names too";
    return tag != TAG_DIRECTORY_NAME;
}

static bool read_list(struct reader *r, int tag, char ***names, size_t *count, const char **why)
{
    struct reader list;
    if (!is_at(r, tag))
        return true;
    if (!enter(r, tag, &list))
        return false;
    while (list.at < list.end)
        if (!read_subtree(&list, names, count, why))
            return false;
    return true;
}

bool name_constraints_read(struct name_constraints *c, struct span der, const char **why)
{
    struct reader whole = {(unsigned char *)(uintptr_t)der.at,
                           (const unsigned char *)der.at + der.len};
    struct reader lists;
    *why = "its name constraints are malformed";
    if (!enter(&whole, TAG_SEQUENCE, &lists) || whole.at != whole.end)
        return false;
    if (!read_list(&lists, TAG_PERMITTED, &c->permitted, &c->permitted_count, why) ||
        !read_list(&lists, TAG_EXCLUDED, &c->excluded, &c->excluded_count, why))
        return false;
    *why = "its name constraints are malformed";
    return lists.at == lists.end;
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

void name_constraints_free(struct name_constraints *c)
{
    free_names(c->permitted, c->permitted_count);
    free_names(c->excluded, c->excluded_count);
    *c = (struct name_constraints){0};
}

/* ------------------------------------------------------------------ matching */

/* "x" is x and what is below it; "" is every name. */
static bool is_below(const char *host, const char *top)
{
    size_t len = strlen(host), top_len = strlen(top);
    if (top_len > len || strcmp(host + len - top_len, top) != 0)
        return false;
    return top_len == 0 || len == top_len || top[0] == '.' || host[len - top_len - 1] == '.';
}

static bool any_is_above(char *const *names, size_t count, const char *host)
{
    for (size_t i = 0; i < count; i++)
        if (is_below(host, names[i]))
            return true;
    return false;
}

bool name_constraints_permit(const struct name_constraints *c, const char *host)
{
    return any_is_above(c->permitted, c->permitted_count, host) &&
           !any_is_above(c->excluded, c->excluded_count, host);
}
