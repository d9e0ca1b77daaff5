/* Orders that differ in anything that counts have different digests, and no others do. */
#include <stdio.h>

#include "proxy/order_digest.h"
#include "suite.h"

static const char *header_names[] = {"API-Key", "API-Sign", "X-Nonce"};

static struct order_digest digest_with(const char *method, const char *target, struct span body,
                                       const char *const *names_and_values)
{
    struct upstream_config u = {
        .credential_headers = {.at = header_names, .count = COUNT_OF(header_names)}};
    struct arena *arena = arena_new();
    struct conn_request r = {.method = span_of(method), .target = span_of(target)};
    struct order_digest d;
    for (const char *const *at = names_and_values; at[0]; at += 2)
        fields_add(&r.fields, arena, span_of(at[0]), span_of(at[1]));
    ck_assert(order_digest(&u, &r, body, &d));
    arena_free(arena);
    return d;
}

#define digest_of(method, target, body, ...)                                                       \
    digest_with(method, target, span_of(body), (const char *const[]){__VA_ARGS__})

static void same(struct order_digest a, struct order_digest b)
{
    ck_assert(order_digest_equal(&a, &b));
}

static void different(struct order_digest a, struct order_digest b)
{
    ck_assert(!order_digest_equal(&a, &b));
}

#define ORDER digest_of("POST", "/order?a=1", "qty=1", "API-Key", "k", "API-Sign", "s", NULL)

/* The bytes that are hashed are written down in order_digest.c: this is their SHA-256, made with
 * sha256sum. A journal that an earlier release wrote has digests made in this way. */
START_TEST(it_stays_what_it_is)
{
    char text[ORDER_DIGEST_TEXT_SIZE];
    struct order_digest d = ORDER;
    order_digest_write(&d, text);
    ck_assert_str_eq(text, "8a54c83a7036c66dcdaa8e5218a02676");
}
END_TEST

/* With other settings, other fields may be credentials. */
START_TEST(it_is_made_once_for_the_same_settings)
{
    struct upstream_config u = {
        .credential_headers = {.at = header_names, .count = COUNT_OF(header_names)}};
    struct upstream_config other = u;
    struct conn_request r = {.method = SPAN("POST"), .target = SPAN("/order")};
    struct order_digest_memo memo = {0};
    struct order_digest made, once, again;
    ck_assert(order_digest(&u, &r, SPAN("a"), &made));
    ck_assert(order_digest_once(NULL, &u, &r, SPAN("a"), &once));
    same(once, made);
    ck_assert(order_digest_once(&memo, &u, &r, SPAN("a"), &once));
    same(once, made);
    r.target = SPAN("/"); /* is not looked at again */
    ck_assert(order_digest_once(&memo, &u, &r, SPAN("a"), &again));
    same(again, made);
    ck_assert(order_digest_once(&memo, &other, &r, SPAN("a"), &again));
    different(again, made);
}
END_TEST

/* One that is too long is so each time. */
START_TEST(none_is_not_kept)
{
    struct upstream_config u = {0};
    struct conn_request r = {.method = SPAN("POST"), .target = SPAN("/order")};
    struct order_digest_memo memo = {0};
    struct order_digest d;
    char *body = must_calloc(1, ORDER_DIGEST_BODY_MAX + 1);
    struct span whole = {body, ORDER_DIGEST_BODY_MAX + 1};
    ck_assert(!order_digest_once(&memo, &u, &r, whole, &d));
    ck_assert(!order_digest_once(&memo, &u, &r, whole, &d));
    free(body);
}
END_TEST

START_TEST(what_counts_makes_a_difference)
{
    same(ORDER, ORDER);
    different(ORDER,
              digest_of("PUT", "/order?a=1", "qty=1", "API-Key", "k", "API-Sign", "s", NULL));
    different(ORDER,
              digest_of("POST", "/order?a=2", "qty=1", "API-Key", "k", "API-Sign", "s", NULL));
    different(ORDER,
              digest_of("POST", "/order?a=1", "qty=2", "API-Key", "k", "API-Sign", "s", NULL));
    different(ORDER,
              digest_of("POST", "/order?a=1", "qty=1", "API-Key", "l", "API-Sign", "s", NULL));
    different(ORDER,
              digest_of("POST", "/order?a=1", "qty=1", "API-Key", "k", "API-Sign", "t", NULL));
    different(ORDER, digest_of("POST", "/order?a=1", "qty=1", "API-Key", "k", NULL));
    different(ORDER, digest_of("POST", "/order?a=1", "qty=1", "API-Key", "k", "API-Sign", "s",
                               "X-Nonce", "7", NULL));
}
END_TEST

/* Without the lengths these would be the same bytes. */
START_TEST(nothing_moves_from_one_part_to_the_next)
{
    different(digest_of("POST", "/a", "bc", NULL), digest_of("POST", "/ab", "c", NULL));
    different(digest_of("POST", "/a", "", NULL), digest_of("POS", "T/a", "", NULL));
    different(digest_of("POST", "/a", "", "API-Key", "kapi-signs", NULL),
              digest_of("POST", "/a", "", "API-Key", "k", "API-Sign", "s", NULL));
    different(digest_of("POST", "/a", "", "API-Key", "k", "API-Key", "", NULL),
              digest_of("POST", "/a", "", "API-Key", "", "API-Key", "k", NULL));
    different(digest_of("POST", "/a", "", "API-Key", "", NULL), digest_of("POST", "/a", "", NULL));
}
END_TEST

START_TEST(other_fields_make_none)
{
    same(ORDER, digest_of("POST", "/order?a=1", "qty=1", "User-Agent", "x", "API-Key", "k", "Date",
                          "now", "API-Sign", "s", NULL));
    same(ORDER, digest_of("POST", "/order?a=1", "qty=1", "api-sign", "s", "API-KEY", "k", NULL));
    different(ORDER,
              digest_of("POST", "/order?a=1", "qty=1", "API-Key", "k", "API-Sign", "S", NULL));
}
END_TEST

START_TEST(a_name_longer_than_the_buffer_counts_whole)
{
    char name[200], other[200];
    memset(name, 'k', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    memcpy(name, "X-Api-Key-", 10);
    memcpy(other, name, sizeof other);
    other[150] = 'l';
    different(digest_of("POST", "/", "", name, "v", NULL),
              digest_of("POST", "/", "", other, "v", NULL));
}
END_TEST

START_TEST(a_long_body_has_no_digest)
{
    static char body[ORDER_DIGEST_BODY_MAX + 1];
    static const struct order_digest zeros;
    struct upstream_config u = {0};
    struct conn_request r = {.method = SPAN("POST"), .target = SPAN("/")};
    struct order_digest d;
    ck_assert(order_digest(&u, &r, (struct span){body, sizeof body - 1}, &d));
    different(d, zeros);
    ck_assert(!order_digest(&u, &r, (struct span){body, sizeof body}, &d));
    same(d, zeros);
}
END_TEST

START_TEST(its_text_is_read_back)
{
    struct order_digest d = ORDER, back;
    char text[ORDER_DIGEST_TEXT_SIZE];
    order_digest_write(&d, text);
    ck_assert_uint_eq(strlen(text), 2 * ORDER_DIGEST_SIZE);
    ck_assert(order_digest_read(span_of(text), &back));
    same(d, back);
    ck_assert(!order_digest_read(span_first(span_of(text), 31), &back));
    ck_assert(!order_digest_read(SPAN(""), &back));
    text[5] = 'g';
    ck_assert(!order_digest_read(span_of(text), &back));
    text[5] = 'A';
    ck_assert(!order_digest_read(span_of(text), &back));
    text[5] = '0', text[4] = 'g';
    ck_assert(!order_digest_read(span_of(text), &back));
}
END_TEST

SUITE()
{
    TEST(it_stays_what_it_is);
    TEST(it_is_made_once_for_the_same_settings);
    TEST(none_is_not_kept);
    TEST(what_counts_makes_a_difference);
    TEST(nothing_moves_from_one_part_to_the_next);
    TEST(other_fields_make_none);
    TEST(a_name_longer_than_the_buffer_counts_whole);
    TEST(a_long_body_has_no_digest);
    TEST(its_text_is_read_back);
}
