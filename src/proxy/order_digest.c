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

#include <endian.h>
#include <stdlib.h>

#include "net/sha256.h"
#include "proxy/credentials.h"

#define NUMBER_SIZE 8
#define FEW_FIELDS 16  /* so many are sorted on the stack, */
#define FEW_BYTES 1024 /* and so many are gathered there */

/* ---------------------------------------------------------------------------- hashing */

/* Each writes at `to`, where there is room, and returns where to go on. */
static char *put_number(char *to, uint64_t n)
{
    n = htole64(n);
    memcpy(to, &n, NUMBER_SIZE);
    return to + NUMBER_SIZE;
}

static char *put(char *to, struct span s)
{
    to = put_number(to, s.len);
    if (s.len)
        memcpy(to, s.at, s.len);
    return to + s.len;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static char *put_lower(char *to, struct span s)
{
    to = put_number(to, s.len);
    for (size_t i = 0; i < s.len; i++)
        *to++ = lower(s.at[i]);
    return to;
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

/* Those of the request, sorted; `chosen` has room for all. Returns how many there are. */
static size_t choose(const struct upstream_config *u, const struct fields *fields,
                     const struct field **chosen)
{
    size_t count = 0;
    for (size_t i = 0; i < fields->count; i++)
        if (field_is_credential(u, fields->at[i].name))
            chosen[count++] = &fields->at[i];
    if (count > 1)
        qsort(chosen, count, sizeof(struct field *), compare);
    return count;
}

/* -------------------------------------------------------------------------- the digest */

static size_t room_for(const struct conn_request *r, const struct field **chosen, size_t count,
                       struct span body)
{
    size_t room = 4 * NUMBER_SIZE + r->method.len + r->target.len + body.len;
    for (size_t i = 0; i < count; i++)
        room += 2 * NUMBER_SIZE + chosen[i]->name.len + chosen[i]->value.len;
    return room;
}

static void hash_order(const struct conn_request *r, const struct field **chosen, size_t count,
                       struct span body, unsigned char whole[SHA256_SIZE])
{
    char few[FEW_BYTES];
    size_t room = room_for(r, chosen, count, body);
    char *start = room <= sizeof few ? few : must_malloc(room), *at = start;
    at = put(at, r->method);
    at = put(at, r->target);
    at = put_number(at, count);
    for (size_t i = 0; i < count; i++) {
        at = put_lower(at, chosen[i]->name);
        at = put(at, chosen[i]->value);
    }
    at = put(at, body);
    sha256((struct span){start, (size_t)(at - start)}, whole);
    if (start != few)
        free(start);
}

bool order_digest(const struct upstream_config *u, const struct conn_request *r, struct span body,
                  struct order_digest *to)
{
    unsigned char whole[SHA256_SIZE];
    const struct field *few[FEW_FIELDS], **chosen = few;
    *to = (struct order_digest){0};
    if (body.len > ORDER_DIGEST_BODY_MAX)
        return false;
    if (r->fields.count > FEW_FIELDS)
        chosen = must_malloc(r->fields.count * sizeof(struct field *));
    size_t count = choose(u, &r->fields, chosen);
    hash_order(r, chosen, count, body, whole);
    if (chosen != few)
        free(chosen);
    memcpy(to->bytes, whole, sizeof to->bytes);
    return true;
}

bool order_digest_once(struct order_digest_memo *memo, const struct upstream_config *u,
                       const struct conn_request *r, struct span body, struct order_digest *to)
{
    if (memo && memo->settings == u) {
        *to = memo->digest;
        return true;
    }
    if (!order_digest(u, r, body, to))
        return false;
    if (memo)
        *memo = (struct order_digest_memo){u, *to};
    return true;
}

bool order_digest_equal(const struct order_digest *a, const struct order_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* --------------------------------------------------------------------------- its text */

/* Four bytes in eight digits, one in each byte of a word: the letters do not follow the 9 at once. */
static void put_hex(char *to, const unsigned char *bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t n = (uint64_t)bytes[0] | (uint64_t)bytes[1] << 16 | (uint64_t)bytes[2] << 32 |
                 (uint64_t)bytes[3] << 48;
    n = (n >> 4 & UINT64_C(0x000f000f000f000f)) | (n << 8 & UINT64_C(0x0f000f000f000f00));
    n += ones * '0' + ((n + ones * 6) >> 4 & ones) * ('a' - '0' - 10);
    n = htole64(n);
    memcpy(to, &n, sizeof n);
}

void order_digest_write(const struct order_digest *d, char to[ORDER_DIGEST_TEXT_SIZE])
{
    for (size_t i = 0; i < ORDER_DIGEST_SIZE; i += 4)
        put_hex(to + 2 * i, d->bytes + i);
    to[ORDER_DIGEST_TEXT_SIZE - 1] = '\0';
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
