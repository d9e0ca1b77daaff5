/* Recognizes the credential of a request by its API key, in any order of the fields. */
#include <stdio.h>

#include "budget/credential.h"
#include "proxy/api_key.h"
#include "proxy_fixture.h"
#include "suite.h"

static const char *header_names[] = {
    "Authorization", "Cookie",        "X-MBX-APIKEY",         "API-Key",
    "API-Sign",      "OK-ACCESS-KEY", "OK-ACCESS-PASSPHRASE", "CB-ACCESS-TIMESTAMP"};
static const char *param_names[] = {"signature", "listenKey"};

/* The key of a request with these fields: name, value, …, NULL. */
#define key_of(path, ...) find_key(path, (const char *const[]){__VA_ARGS__})

static uint64_t find_key(const char *path, const char *const *names_and_values)
{
    struct upstream_config u = {
        .credential_headers = {.at = header_names, .count = COUNT_OF(header_names)},
        .credential_params = {.at = param_names, .count = COUNT_OF(param_names)}};
    struct arena *arena = arena_new();
    struct fields fields = {0};
    for (const char *const *at = names_and_values; at[0]; at += 2)
        fields_add(&fields, arena, span_of(at[0]), span_of(at[1]));
    uint64_t key = request_api_key(&u, &fields, span_of(path));
    arena_free(arena);
    ck_assert_uint_ne(key, 0);
    return key;
}

#define K key_of("/a", "API-Key", "k", NULL)

START_TEST(the_order_of_arrival_does_not_matter)
{
    ck_assert_uint_ne(K, CREDENTIAL_NONE);
    ck_assert_uint_ne(K, key_of("/a", "API-Key", "l", NULL));
    ck_assert_uint_eq(K, key_of("/a", "api-sign", "s1", "api-key", " k ", NULL));
    ck_assert_uint_eq(K, key_of("/a", "Cookie", "cf=1", "API-Key", "k", NULL));
    ck_assert_uint_eq(K, key_of("/a", "Sec-WebSocket-Key", "w1", "API-Key", "k", NULL));
    ck_assert_uint_eq(K, key_of("/a", "Idempotency-Key", "i1", "API-Key", "k", NULL));
    ck_assert_uint_eq(K, key_of("/a", "OK-ACCESS-PASSPHRASE", "p", "CB-ACCESS-TIMESTAMP", "1",
                                "API-Key", "k", NULL));
    ck_assert_uint_eq(K, key_of("/a?signature=1&listenKey=l", "API-Key", "k", NULL));
    ck_assert_uint_eq(K, key_of("/a", "X-MBX-APIKEY", "", "API-Key", "k", NULL));
}
END_TEST

START_TEST(the_list_says_which_comes_first)
{
    uint64_t mbx = key_of("/a", "X-MBX-APIKEY", "m", NULL);
    ck_assert_uint_eq(mbx, key_of("/a", "API-Key", "k", "X-MBX-APIKEY", "m", NULL));
    ck_assert_uint_eq(mbx, key_of("/a", "X-MBX-APIKEY", "m", "API-Key", "k", NULL));
    uint64_t cookie = key_of("/a", "Cookie", "sid=1", NULL);
    ck_assert_uint_ne(cookie, CREDENTIAL_NONE);
    ck_assert_uint_eq(cookie, key_of("/a?listenKey=l", "Cookie", "sid=1", NULL));
}
END_TEST

START_TEST(those_without_a_key_are_as_one)
{
    ck_assert_uint_eq(key_of("/a", NULL), CREDENTIAL_NONE);
    ck_assert_uint_eq(key_of("/a?signature=1", NULL), CREDENTIAL_NONE);
    ck_assert_uint_eq(key_of("/a?apiKey=1", NULL), CREDENTIAL_NONE);
    ck_assert_uint_eq(key_of("/a?listenKey=&b=1", NULL), CREDENTIAL_NONE);
    ck_assert_uint_eq(key_of("/a?listenKey", NULL), CREDENTIAL_NONE);
    ck_assert_uint_eq(key_of("/a", "API-Sign", "s", NULL), CREDENTIAL_NONE);
    ck_assert_uint_eq(key_of("/a", "X-Api-Key", "k", NULL), CREDENTIAL_NONE);
    ck_assert_uint_eq(key_of("/a", "Sec-WebSocket-Key", "k", NULL), CREDENTIAL_NONE);
}
END_TEST

START_TEST(a_listen_key_is_one)
{
    uint64_t l = key_of("/a?listenKey=l", NULL);
    ck_assert_uint_ne(l, CREDENTIAL_NONE);
    ck_assert_uint_eq(l, key_of("/a?signature=x&listen%4bey=l&b=1", NULL));
    ck_assert_uint_ne(l, key_of("/a?listenKey=m", NULL));
}
END_TEST

#define BEARER(token) key_of("/a", "Authorization", "Bearer " token, NULL)
#define HEAD_KID                                                                                   \
    "eyJhbGciOiJFUzI1NiIsImtpZCI6Im9yZ3MveC9hcGlLZXlzL3kifQ" /* kid: orgs/x/apiKeys/y */
#define HEAD_ONLY "eyJhbGciOiJIUzI1NiJ9"                     /* {"alg":"HS256"} */
#define SUB_BOB "eyJzdWIiOiJib2IiLCJpYXQiOjF9"               /* sub: bob, iat: 1 */
#define SUB_BOB_LATER "eyJzdWIiOiJib2IiLCJpYXQiOjJ9"         /* sub: bob, iat: 2 */
#define SUB_AT "eyJzdWIiOiJAIn0"                             /* sub: "@", with the digit 0 */
#define NO_SUB "eyJpYXQiOjF9"                                /* {"iat":1} */

/* A new token is made for each request, but the subject that it names stays the same. */
START_TEST(tokens)
{
    ck_assert_uint_eq(BEARER(HEAD_KID "." SUB_BOB ".s1"), BEARER(HEAD_KID "." NO_SUB ".s2"));
    ck_assert_uint_eq(BEARER(HEAD_KID "." SUB_BOB ".s1"),
                      key_of("/a", "API-Key", "orgs/x/apiKeys/y", NULL));
    ck_assert_uint_eq(BEARER(HEAD_ONLY "." SUB_BOB ".s1"),
                      BEARER(HEAD_ONLY "." SUB_BOB_LATER ".s2"));
    ck_assert_uint_eq(BEARER(HEAD_ONLY "." SUB_AT ".s1"), BEARER(HEAD_ONLY "." SUB_AT ".s2"));
    ck_assert_uint_ne(BEARER(HEAD_ONLY "." SUB_BOB ".s1"), BEARER(HEAD_KID "." SUB_BOB ".s1"));
    ck_assert_uint_eq(BEARER(HEAD_ONLY "." SUB_BOB ".s1"),
                      key_of("/a", "Authorization", "bearer  " HEAD_ONLY "." SUB_BOB ".s3", NULL));
}
END_TEST

/* A value that is not a token is used as it is. */
START_TEST(malformed_tokens)
{
    static const char *const values[] = {
        "Bearer opaque",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer " HEAD_KID,
        "Bearer " HEAD_KID "." SUB_BOB,
        "Bearer " HEAD_KID "." SUB_BOB ".s.x",
        "Bearer " HEAD_ONLY "." NO_SUB ".s",
        "Bearer " HEAD_ONLY ".%%%%.s",
        "Bearer " HEAD_KID "A." SUB_BOB ".s",
        "Bearer W10.W10.s",                         /* [] */
        "Bearer eyJraWQiOjF9." NO_SUB ".s",         /* {"kid":1} */
        "Bearer eyJraWQiOiIifQ.eyJzdWIiOm51bGx9.s", /* {"kid":""}, {"sub":null} */
        "Basic dTpw",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        uint64_t key = key_of("/a", "Authorization", values[i], NULL);
        ck_assert_uint_ne(key, CREDENTIAL_NONE);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(key != key_of("/a", "Authorization", values[j], NULL), "%s", values[i]);
    }
}
END_TEST

START_TEST(a_long_token_is_not_looked_into)
{
    char *value = must_calloc(1, 20000);
    memcpy(value, "Bearer ", 7);
    memset(value + 7, 'e', 12000);
    strcpy(value + 12007, ".e.s");
    uint64_t key = key_of("/a", "Authorization", value, NULL);
    value[12010] = 't';
    ck_assert_uint_ne(key, key_of("/a", "Authorization", value, NULL));
    free(value);
}
END_TEST

SUITE()
{
    TEST(the_order_of_arrival_does_not_matter);
    TEST(the_list_says_which_comes_first);
    TEST(those_without_a_key_are_as_one);
    TEST(a_listen_key_is_one);
    TEST(tokens);
    TEST(malformed_tokens);
    TEST(a_long_token_is_not_looked_into);
}
