/* Ids of requests: their form, that each is used once, and that the ids of successive runs sort by
 * time. */
#include "base/request_id.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

#define WALL_MS 1795770000123ull /* 2026-11-27 */

START_TEST(life_then_count)
{
    struct request_ids ids;
    struct request_id id;
    request_ids_init(&ids, WALL_MS, 0x3ffff);
    ck_assert_uint_eq(strlen(ids.life), 12);
    ck_assert_uint_eq(strspn(ids.life, "0123456789abcdefghjkmnpqrstvwxyz"), 12);
    request_ids_next(&ids, &id);
    ck_assert(strncmp(id.text, ids.life, 12) == 0);
    ck_assert_str_eq(id.text + 12, "-1");
    for (int i = 0; i < 41; i++)
        request_ids_next(&ids, &id);
    ck_assert_str_eq(id.text + 12, "-42");
}
END_TEST

START_TEST(the_longest_fits)
{
    struct request_ids ids;
    struct request_id id;
    request_ids_init(&ids, UINT64_MAX, UINT32_MAX);
    ck_assert_str_eq(ids.life, "zzzzzzzzzzzz");
    strcpy(ids.last.text, "zzzzzzzzzzzz-9999999999999999999");
    ids.digits = 19;
    request_ids_next(&ids, &id);
    ck_assert_str_eq(id.text, "zzzzzzzzzzzz-10000000000000000000");
    ck_assert_uint_lt(strlen(id.text), REQUEST_ID_SIZE);
}
END_TEST

START_TEST(counts_as_numbers_do)
{
    struct request_ids ids;
    struct request_id id;
    char expected[40];
    request_ids_init(&ids, WALL_MS, 0);
    for (unsigned n = 1; n <= 11000; n++) {
        request_ids_next(&ids, &id);
        snprintf(expected, sizeof expected, "%s-%u", ids.life, n);
        ck_assert_str_eq(id.text, expected);
    }
}
END_TEST

START_TEST(lives_differ_and_sort)
{
    struct request_ids a, b, c, later;
    request_ids_init(&a, WALL_MS, 1);
    request_ids_init(&b, WALL_MS, 2);
    request_ids_init(&c, WALL_MS, 2 + (1u << 18)); /* bits beyond 18 do not reach the time */
    request_ids_init(&later, WALL_MS + 1, 0);
    ck_assert_str_ne(a.life, b.life);
    ck_assert_str_eq(b.life, c.life);
    ck_assert_int_lt(strcmp(b.life, later.life), 0);
}
END_TEST

START_TEST(none_is_a_dash)
{
    struct request_id none = {0}, some = {"x-1"};
    ck_assert_str_eq(request_id_text(NULL), "-");
    ck_assert_str_eq(request_id_text(&none), "-");
    ck_assert_str_eq(request_id_text(&some), "x-1");
}
END_TEST

SUITE()
{
    TEST(life_then_count);
    TEST(the_longest_fits);
    TEST(counts_as_numbers_do);
    TEST(lives_differ_and_sort);
    TEST(none_is_a_dash);
}
