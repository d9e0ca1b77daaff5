/* Which exit a request leaves by: the rules of the choice, and what a credential maps to. */
#include "upstream/way_choice.h"

#include "suite.h"

#define ALL 4

static struct way_standing at[ALL];

static void begin(void)
{
    for (size_t i = 0; i < ALL; i++)
        at[i] = (struct way_standing){.tokens = INT64_MAX, .free_lines = 16};
}

static void finish(void)
{
}

START_TEST(equals_in_turn)
{
    for (size_t turn = 0; turn < ALL; turn++)
        ck_assert_uint_eq(way_choice(at, ALL, 0, turn), turn);
}
END_TEST

START_TEST(tried_ones_are_left_out)
{
    ck_assert_uint_eq(way_choice(at, ALL, 1, 0), 1);
    ck_assert_uint_eq(way_choice(at, ALL, 7, 0), 3);
    ck_assert_uint_eq(way_choice(at, ALL, 15, 0), SIZE_MAX);
}
END_TEST

/* Each rule before those behind it. */
START_TEST(the_order_of_the_rules)
{
    at[3].free_lines = 17;
    ck_assert_uint_eq(way_choice(at, ALL, 0, 0), 3);
    for (size_t i = 0; i < ALL; i++)
        at[i].weight_share = i == 2 ? 300 : 301;
    ck_assert_uint_eq(way_choice(at, ALL, 0, 0), 2);
    for (size_t i = 0; i < ALL; i++)
        at[i].tokens = i == 1 ? 5 : 4;
    ck_assert_uint_eq(way_choice(at, ALL, 0, 0), 1);
    at[1].is_open = true;
    ck_assert_uint_eq(way_choice(at, ALL, 0, 0), 2);
    at[2].is_held = true;
    ck_assert_uint_eq(way_choice(at, ALL, 0, 0), 3);
    at[3].is_held = at[0].is_held = true;
    ck_assert_uint_eq(way_choice(at, ALL, 0, 0), 1);
}
END_TEST

START_TEST(without_tokens_the_first_to_have_one)
{
    for (size_t i = 0; i < ALL; i++) {
        at[i].tokens = -(int64_t)i;
        at[i].pass_ms = 100 - i;
    }
    ck_assert_uint_eq(way_choice(at, ALL, 0, 0), 3);
    at[0].tokens = 1;
    ck_assert_uint_eq(way_choice(at, ALL, 0, 0), 0);
}
END_TEST

START_TEST(all_held_the_first_to_end)
{
    for (size_t i = 0; i < ALL; i++) {
        at[i].is_held = true;
        at[i].pass_ms = i == 2 ? 500 : 1000;
        at[i].tokens = i == 2 ? 1 : 9;
    }
    ck_assert_uint_eq(way_choice(at, ALL, 0, 0), 2);
}
END_TEST

/* When one goes, only what mapped to it moves; each gets about its share. */
START_TEST(credentials_keep_their_way)
{
    static const uint64_t hashes[ALL] = {11, 22, 33, 44}, less[ALL - 1] = {11, 33, 44};
    size_t got[ALL] = {0};
    for (uint64_t credential = 2; credential < 4002; credential++) {
        size_t i = way_choice_of(hashes, ALL, credential);
        size_t j = way_choice_of(less, ALL - 1, credential);
        got[i]++;
        if (i != 1)
            ck_assert_uint_eq(hashes[i], less[j]);
    }
    for (size_t i = 0; i < ALL; i++) {
        ck_assert_uint_gt(got[i], 850);
        ck_assert_uint_lt(got[i], 1150);
    }
}
END_TEST

/* Written down, since credentials must keep their exit over restarts and versions. */
START_TEST(the_mapping_stays)
{
    static const uint64_t hashes[ALL] = {11, 22, 33, 44};
    static const size_t expected[] = {1, 0, 0, 1, 3, 3, 1, 2};
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        ck_assert_uint_eq(way_choice_of(hashes, ALL, 1000 + i), expected[i]);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(equals_in_turn);
    TEST(tried_ones_are_left_out);
    TEST(the_order_of_the_rules);
    TEST(without_tokens_the_first_to_have_one);
    TEST(all_held_the_first_to_end);
    TEST(credentials_keep_their_way);
    TEST(the_mapping_stays);
}
