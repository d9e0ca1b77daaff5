#include "net/name_constraints.h"

#include <ctype.h>
#include <mbedtls/asn1write.h>

#include "net/der.h"

/* Tags of RFC 5280's NameConstraints and GeneralName. */
#define TAG_PERMITTED (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 0)
#define TAG_EXCLUDED (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 1)
#define TAG_DNS_NAME (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2)
#define TAG_DIRECTORY_NAME (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 4)
#define TAG_IP_ADDRESS (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7)
#define TAG_SEQUENCE (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE)
#define TAG_SET (MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET)

#define HEADER_MAX 6 /* of one tag and its length */
#define IP4_LEN 8    /* an address and its mask */
#define IP6_LEN 32

/* ------------------------------------------------------------------- writing */

/* mbedTLS writes backwards, from the end of the buffer towards its start. */
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

static bool add_name(char ***names, size_t *count, struct span name)
{
    char *copy = must_strndup(name.at, name.len);
    *names = must_realloc(*names, (*count + 1) * sizeof(char *));
    (*names)[(*count)++] = copy;
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return strlen(copy) == name.len;
}

/* RFC 5280's GeneralName: otherName, x400Address, directoryName and ediPartyName hold
 * values, the others bytes. */
static bool is_general_name(int tag)
{
    static const bool has_values[] = {true, false, false, true, true, true, false, false, false};
    unsigned kind = (unsigned)tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
    int form = kind < COUNT_OF(has_values) && has_values[kind] ? MBEDTLS_ASN1_CONSTRUCTED : 0;
    return kind < COUNT_OF(has_values) && tag == (int)(MBEDTLS_ASN1_CONTEXT_SPECIFIC | form | kind);
}

/* Minimum and maximum must be absent, RFC 5280 4.2.1.10. */
static bool next_subtree(struct der *list, int *tag, struct span *base)
{
    struct der subtree, name;
    if (!der_enter(list, TAG_SEQUENCE, &subtree) || !der_next(&subtree, tag, &name))
        return false;
    *base = der_rest(&name);
    return der_is_empty(&subtree) && is_general_name(*tag);
}

/* Constraints on kinds of names that a leaf does not have are irrelevant to it. */
static bool read_subtree(struct der *list, char ***names, size_t *count, const char **why)
{
    int tag;
    struct span name;
    *why = "its name constraints are malformed";
    if (!next_subtree(list, &tag, &name))
        return false;
    if (tag == TAG_DNS_NAME)
        return add_name(names, count, name);
    *why = "its name constraints are about directory names too";
    return tag != TAG_DIRECTORY_NAME;
}

static bool read_list(struct der *d, int tag, char ***names, size_t *count, const char **why)
{
    struct der list;
    if (!der_is_at(d, tag))
        return true;
    if (!der_enter(d, tag, &list))
        return false;
    while (!der_is_empty(&list))
        if (!read_subtree(&list, names, count, why))
            return false;
    return true;
}

static bool enter_lists(struct span der, struct der *lists)
{
    struct der whole = der_of(der);
    return der_enter(&whole, TAG_SEQUENCE, lists) && der_is_empty(&whole);
}

bool name_constraints_read(struct name_constraints *c, struct span der, const char **why)
{
    struct der lists;
    *why = "its name constraints are malformed";
    if (!enter_lists(der, &lists))
        return false;
    if (!read_list(&lists, TAG_PERMITTED, &c->permitted, &c->permitted_count, why) ||
        !read_list(&lists, TAG_EXCLUDED, &c->excluded, &c->excluded_count, why))
        return false;
    *why = "its name constraints are malformed";
    return der_is_empty(&lists);
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

/* Compares ignoring the case of ASCII letters; a NUL is a byte like any other. */
static bool same_text(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (tolower((unsigned char)a.at[i]) != tolower((unsigned char)b.at[i]))
            return false;
    return true;
}

/* "x" matches x and its subdomains, ".x" only the subdomains; "" matches every name. */
static bool is_below(struct span host, struct span top)
{
    if (top.len > host.len || !same_text(span_from(host, host.len - top.len), top))
        return false;
    return top.len == 0 || host.len == top.len || top.at[0] == '.' ||
           host.at[host.len - top.len - 1] == '.';
}

static bool any_is_above(char *const *names, size_t count, const char *host)
{
    for (size_t i = 0; i < count; i++)
        if (is_below(span_of(host), span_of(names[i])))
            return true;
    return false;
}

bool name_constraints_permit(const struct name_constraints *c, const char *host)
{
    return any_is_above(c->permitted, c->permitted_count, host) &&
           !any_is_above(c->excluded, c->excluded_count, host);
}

/* --------------------------------------------------- constraints of any CA */

/* How a list of subtrees applies to a name. */
enum standing {
    STANDING_UNNAMED, /* no subtree is of the name's kind */
    STANDING_OUTSIDE,
    STANDING_INSIDE,
    STANDING_UNCLEAR, /* a subtree is malformed, or of a kind that cannot be compared */
};

/* The base is an address followed by a mask, each as long as the name. */
static enum standing compare_address(struct span name, struct span base)
{
    if (base.len != IP4_LEN && base.len != IP6_LEN)
        return STANDING_UNCLEAR;
    if (base.len != 2 * name.len)
        return STANDING_OUTSIDE;
    const char *address = base.at, *mask = base.at + name.len;
    for (size_t i = 0; i < name.len; i++)
        if ((name.at[i] ^ address[i]) & mask[i])
            return STANDING_OUTSIDE;
    return STANDING_INSIDE;
}

/* Compares the values whatever their string types. */
static bool same_attribute(struct der *a, struct der *b)
{
    struct der type[2], value[2];
    int tags[2];
    return der_enter(a, MBEDTLS_ASN1_OID, &type[0]) && der_enter(b, MBEDTLS_ASN1_OID, &type[1]) &&
           span_is(der_rest(&type[0]), der_rest(&type[1])) && der_next(a, &tags[0], &value[0]) &&
           der_next(b, &tags[1], &value[1]) &&
           same_text(der_rest(&value[0]), der_rest(&value[1])) && der_is_empty(a) &&
           der_is_empty(b);
}

/* RelativeDistinguishedName ::= SET OF SEQUENCE { OID, value }, in DER's order. */
static bool same_step(struct der *a, struct der *b)
{
    struct der attribute[2];
    while (!der_is_empty(a) && !der_is_empty(b))
        if (!der_enter(a, TAG_SEQUENCE, &attribute[0]) ||
            !der_enter(b, TAG_SEQUENCE, &attribute[1]) ||
            !same_attribute(&attribute[0], &attribute[1]))
            return false;
    return der_is_empty(a) && der_is_empty(b);
}

/* The base must be a prefix of the name, RFC 5280 7.1. */
static enum standing compare_directory(struct span name, struct span base)
{
    struct der whole[2] = {der_of(name), der_of(base)}, steps[2], step[2];
    for (int i = 0; i < 2; i++)
        if (!der_enter(&whole[i], TAG_SEQUENCE, &steps[i]) || !der_is_empty(&whole[i]))
            return STANDING_UNCLEAR;
    while (!der_is_empty(&steps[1])) {
        if (!der_enter(&steps[1], TAG_SET, &step[1]))
            return STANDING_UNCLEAR;
        if (der_is_empty(&steps[0]))
            return STANDING_OUTSIDE;
        if (!der_enter(&steps[0], TAG_SET, &step[0]))
            return STANDING_UNCLEAR;
        if (!same_step(&step[0], &step[1]))
            return STANDING_OUTSIDE;
    }
    return STANDING_INSIDE;
}

static enum standing compare(const struct general_name *name, struct span base)
{
    switch (name->kind) {
    case NAME_DNS: return is_below(name->value, base) ? STANDING_INSIDE : STANDING_OUTSIDE;
    case NAME_DIRECTORY: return compare_directory(name->value, base);
    case NAME_ADDRESS: return compare_address(name->value, base);
    default: return STANDING_UNCLEAR;
    }
}

static enum standing stand(struct der *lists, int tag, const struct general_name *name,
                           size_t *work)
{
    enum standing found = STANDING_UNNAMED;
    struct der list;
    if (!der_is_at(lists, tag))
        return found;
    if (!der_enter(lists, tag, &list))
        return STANDING_UNCLEAR;
    while (!der_is_empty(&list)) {
        int kind;
        struct span base;
        if (*work == 0 || !next_subtree(&list, &kind, &base))
            return STANDING_UNCLEAR;
        --*work;
        if ((kind & MBEDTLS_ASN1_TAG_VALUE_MASK) != name->kind)
            continue;
        enum standing one = compare(name, base);
        found = one > found ? one : found;
    }
    return found;
}

bool name_constraints_admit(struct span der, const struct general_name *name, size_t *work)
{
    struct der lists;
    if (!enter_lists(der, &lists))
        return false;
    enum standing permitted = stand(&lists, TAG_PERMITTED, name, work);
    enum standing excluded = stand(&lists, TAG_EXCLUDED, name, work);
    return der_is_empty(&lists) &&
           (permitted == STANDING_UNNAMED || permitted == STANDING_INSIDE) &&
           (excluded == STANDING_UNNAMED || excluded == STANDING_OUTSIDE);
}
