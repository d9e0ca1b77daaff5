/* Which word a misspelt one stands for. */
#include "base/nearest.h"

#include "base/check.h"
#include "suite.h"

static const char *const words[] = {"max_connections", "max_streams", "fresh", "rate",
                                    "idle_timeout",    "min_idle",    "stats", "pause",
                                    "cache_size",      "coalesce",    "url",   "burst"};

static const char *meant(const char *wanted)
{
    struct nearest n;
    nearest_init(&n, span_of(wanted));
    for (size_t i = 0; i < COUNT_OF(words); i++)
        nearest_offer(&n, words[i]);
    return n.word;
}

START_TEST(misspelt_words_are_recognized)
{
    ck_assert_pstr_eq(meant("max_conections"), "max_connections");
    ck_assert_pstr_eq(meant("max_connection"), "max_connections");
    ck_assert_pstr_eq(meant("maxconnections"), "max_connections");
    ck_assert_pstr_eq(meant("MAX-CONNECTIONS"), "max_connections");
    ck_assert_pstr_eq(meant("cache_sise"), "cache_size");
    ck_assert_pstr_eq(meant("puase"), "pause"); /* two neighbours swapped are one edit */
    ck_assert_pstr_eq(meant("stat"), "stats");
    ck_assert_pstr_eq(meant("ratee"), "rate");
}
END_TEST

START_TEST(other_words_are_not)
{
    ck_assert_ptr_null(meant("freshness"));
    ck_assert_ptr_null(meant("r8"));
    ck_assert_ptr_null(meant(""));
    ck_assert_ptr_null(meant("x"));
    ck_assert_ptr_null(meant("rats_")); /* two edits are too many for so short a word */
    ck_assert_ptr_null(meant("a_word_that_is_longer_than_any_word_that_there_is_here"));
}
END_TEST

START_TEST(the_nearest_wins_then_the_first)
{
    struct nearest n;
    nearest_init(&n, SPAN("order_path"));
    nearest_offer(&n, "order_rate");
    ck_assert_pstr_eq(n.word, "order_rate");
    nearest_offer(&n, "order_paths");
    ck_assert_pstr_eq(n.word, "order_paths");
    nearest_offer(&n, "order_patch");
    ck_assert_pstr_eq(n.word, "order_paths");
    nearest_offer(&n, "order_path");
    ck_assert_pstr_eq(n.word, "order_path");
}
END_TEST

SUITE()
{
    TEST(misspelt_words_are_recognized);
    TEST(other_words_are_not);
    TEST(the_nearest_wins_then_the_first);
}
