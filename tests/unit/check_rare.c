/* The counters of rare branches: they start from 0 and are independent; their names and places have
 * the form that the manual and `lint-rare` need. */
#include "base/rare.h"

#include <string.h>

#include "suite.h"

START_TEST(each_counts_for_itself)
{
    for (enum rare r = 0; r < RARE_COUNT; r++)
        ck_assert_uint_eq(rare_count(r), 0);
    rare_note(RARE_DNS_HALF);
    rare_note(RARE_DNS_HALF);
    rare_note(RARE_H2_RESET);
    for (enum rare r = 0; r < RARE_COUNT; r++)
        ck_assert_uint_eq(rare_count(r), r == RARE_DNS_HALF ? 2 : r == RARE_H2_RESET);
}
END_TEST

START_TEST(names_are_unique_words)
{
    for (enum rare r = 0; r < RARE_COUNT; r++) {
        const char *name = rare_name(r), *place = rare_place(r);
        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        ck_assert(strlen(place) > 2 && strcmp(place + strlen(place) - 2, ".c") == 0);
        for (enum rare other = 0; other < r; other++)
            ck_assert_str_ne(name, rare_name(other));
    }
}
END_TEST

SUITE()
{
    TEST(each_counts_for_itself);
    TEST(names_are_unique_words);
}
