/* Names of bots: how many are kept, and that only tokens are accepted. */
#include "proxy/bots.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

static struct bots b;

static void setup(void)
{
    b = (struct bots){0};
}

static void count(void *context, const struct bot *bot)
{
    ck_assert_uint_gt(strlen(bot->name), 0);
    ++*(unsigned *)context;
}

START_TEST(one_a_name)
{
    struct bot *grid = bots_find(&b, SPAN("grid1"));
    ck_assert_str_eq(grid->name, "grid1");
    ck_assert_ptr_ne(bots_find(&b, SPAN("Grid1")), grid);
    ck_assert_ptr_eq(bots_find(&b, SPAN("grid1")), grid);
    ck_assert_uint_eq(b.count, 2);
}
END_TEST

START_TEST(what_is_no_name_is_other)
{
    char longest[BOT_NAME_MAX + 1];
    static const struct span names[] = {{"", 0},     {"a b", 3},      {"a\"b", 3}, {"a\\b", 3},
                                        {"a\0b", 3}, {"\xc3\xa4", 2}, {"{x}", 3},  {"other", 5}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_ptr_eq(bots_find(&b, names[i]), &b.other);
    memset(longest, 'x', sizeof longest);
    ck_assert_ptr_eq(bots_find(&b, (struct span){longest, sizeof longest}), &b.other);
    ck_assert_uint_eq(b.count, 0);
    ck_assert_ptr_ne(bots_find(&b, (struct span){longest, BOT_NAME_MAX}), &b.other);
    ck_assert_str_eq(b.other.name, "other");
}
END_TEST

START_TEST(the_rest_is_other)
{
    char name[20];
    unsigned seen = 0;
    for (int i = 0; i < BOTS_MAX + 10; i++) {
        snprintf(name, sizeof name, "bot-%d", i);
        struct bot *bot = bots_find(&b, span_of(name));
        bot->requests++;
        ck_assert_int_eq(bot == &b.other, i >= BOTS_MAX);
    }
    ck_assert_uint_eq(b.other.requests, 10);
    ck_assert_uint_eq(bots_find(&b, SPAN("bot-63"))->requests, 1);
    bots_each(&b, count, &seen);
    ck_assert_uint_eq(seen, BOTS_MAX + 1);
}
END_TEST

START_TEST(other_is_told_if_there_was_any)
{
    unsigned seen = 0;
    (void)!bots_find(&b, SPAN("never"));
    bots_find(&b, SPAN("a"))->requests = 1;
    bots_each(&b, count, &seen);
    ck_assert_uint_eq(seen, 1);
}
END_TEST

SUITE()
{
    FIXTURE(setup, NULL);
    TEST(one_a_name);
    TEST(what_is_no_name_is_other);
    TEST(the_rest_is_other);
    TEST(other_is_told_if_there_was_any);
}
