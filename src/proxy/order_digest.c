/* What is hashed, in this order, each number in eight bytes, the least significant first:
 *
 *   the length of the method, the method
 *   the length of the target, the target
 *   the number of credential fields, and of each, sorted by name:
 *       the length of its name, the name in lower case, the length of its value, the value
 *   the length of the body, the body
 *
 * With its lengths no two different orders make the same bytes. Nothing here may change:
 * digests are compared with those in journals that earlier releases wrote. */
#include "proxy/order_digest.h"

#include <stdlib.h>

#include "net/sha256.h"
#include "proxy/credentials.h"

#define FIRST_ROOM 512 /* besides the body */

/* ---------------------------------------------------------------------------- hashing */

static void add_bytes(struct text *hash, const void *at, size_t len)
{
    text_add(hash, (struct span){at, len});
}

static void add_number(struct text *hash, uint64_t n)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(n >> 8 * i);
    add_bytes(hash, bytes, sizeof bytes);
}

static void add(struct text *hash, struct span s)
{
    add_number(hash, s.len);
    if (s.len)
        add_bytes(hash, s.at, s.len);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static void add_lower(struct text *hash, struct span s)
{
    char piece[64];
    add_number(hash, s.len);
    for (size_t at = 0; at < s.len; at += sizeof piece) {
        struct span part = span_first(span_from(s, at), sizeof piece);
        for (size_t i = 0; i < part.len; i++)
            piece[i] = lower(part.at[i]);
        add_bytes(hash, piece, part.len);
    }
}

/* ------------------------------------------------------------------ credential fields */

static int compare_names(struct span a, struct span b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        unsigned char x = (unsigned char)lower(a.at[i]), y = (unsigned char)lower(b.at[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

/* By name; those of one name stay in the order in which they came, which is that of their
 * addresses. */
static int compare(const void *left, const void *right)
{
    const struct field *const *a = left, *const *b = right;
    int by_name = compare_names((*a)->name, (*b)->name);
    return by_name ? by_name : (*a < *b ? -1 : *a > *b);
}

static void add_fields(struct text *hash, const struct upstream_config *u,
                       const struct fields *fields)
{
    const struct field **chosen = must_malloc((fields->count + 1) * sizeof(struct field *));
    size_t count = 0;
    for (size_t i = 0; i < fields->count; i++)
        if (field_is_credential(u, fields->at[i].name))
            chosen[count++] = &fields->at[i];
    qsort(chosen, count, sizeof(struct field *), compare);
    add_number(hash, count);
    for (size_t i = 0; i < count; i++) {
        add_lower(hash, chosen[i]->name);
        add(hash, chosen[i]->value);
    }
    free(chosen);
}

/* -------------------------------------------------------------------------- the digest */

bool order_digest(const struct upstream_config *u, const struct conn_request *r, struct span body,
                  struct order_digest *to)
{
    unsigned char whole[SHA256_SIZE];
    struct text hash = {0};
    *to = (struct order_digest){0};
    if (body.len > ORDER_DIGEST_BODY_MAX)
        return false;
    (void)text_reserve(&hash, FIRST_ROOM + body.len);
    add(&hash, r->method);
    add(&hash, r->target);
    add_fields(&hash, u, &r->fields);
    add(&hash, body);
    sha256(text_span(&hash), whole);
    text_free(&hash);
    memcpy(to->bytes, whole, sizeof to->bytes);
    return true;
}

bool order_digest_equal(const struct order_digest *a, const struct order_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* --------------------------------------------------------------------------- its text */

void order_digest_write(const struct order_digest *d, char to[ORDER_DIGEST_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < ORDER_DIGEST_SIZE; i++) {
        *to++ = digits[d->bytes[i] >> 4];
        *to++ = digits[d->bytes[i] & 15];
    }
    *to = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool order_digest_read(struct span text, struct order_digest *to)
{
    *to = (struct order_digest){0};
    if (text.len != 2 * ORDER_DIGEST_SIZE)
        return false;
    for (size_t i = 0; i < ORDER_DIGEST_SIZE; i++) {
        int high = hex_value(text.at[2 * i]), low = hex_value(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        to->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
