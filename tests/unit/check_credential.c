/* The identity of a credential, and its name outside the process. */
#include <stdio.h>

#include "budget/credential.h"
#include "suite.h"

START_TEST(it_is_the_beginning_of_the_sha_256)
{
    /* FIPS 180-2, B.1: "abc" */
    static const char digest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    char name[CREDENTIAL_NAME_SIZE];
    uint64_t id = credential_of(SPAN("abc"));
    ck_assert_uint_eq(id, UINT64_C(0xba7816bf8f01cfea));
    ck_assert_uint_eq(credential_of(SPAN("abc")), id);
    ck_assert_uint_ne(credential_of(SPAN("abd")), id);
    credential_print(id, name);
    ck_assert_str_eq(name, digest);
    ck_assert_uint_eq(credential_parse(span_of(digest)), id);
}
END_TEST

START_TEST(one_not_seen_for_long_has_a_short_name)
{
    char name[CREDENTIAL_NAME_SIZE];
    credential_print(UINT64_C(0xba7816bf8f01cfea), name);
    ck_assert_str_eq(name, "ba7816bf8f01cfea");
    ck_assert_uint_eq(credential_parse(span_of(name)), UINT64_C(0xba7816bf8f01cfea));
}
END_TEST

START_TEST(requests_without_one_share_a_name)
{
    char name[CREDENTIAL_NAME_SIZE];
    credential_print(CREDENTIAL_NONE, name);
    ck_assert_str_eq(name, "none");
    ck_assert_uint_eq(credential_parse(SPAN("none")), CREDENTIAL_NONE);
}
END_TEST

START_TEST(other_names_are_refused)
{
    ck_assert_uint_eq(credential_parse(SPAN("")), 0);
    ck_assert_uint_eq(credential_parse(SPAN("ba7816bf8f01cfe")), 0);
    ck_assert_uint_eq(credential_parse(SPAN("ba7816bf8f01cfeX")), 0);
    ck_assert_uint_eq(credential_parse(SPAN("BA7816BF8F01CFEA")), 0);
}
END_TEST

START_TEST(many_are_told_apart)
{
    char value[20];
    uint64_t first = credential_of(SPAN("0"));
    for (int i = 1; i < 5000; i++) {
        size_t len = (size_t)snprintf(value, sizeof value, "%d", i);
        ck_assert_uint_ne(credential_of((struct span){value, len}), first);
    }
    ck_assert_uint_eq(credential_of(SPAN("0")), first);
}
END_TEST

SUITE()
{
    TEST(one_not_seen_for_long_has_a_short_name);
    TEST(it_is_the_beginning_of_the_sha_256);
    TEST(requests_without_one_share_a_name);
    TEST(other_names_are_refused);
    TEST(many_are_told_apart);
}
