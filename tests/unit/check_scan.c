/* The example's search: a trade that is profitable after fees is found in either direction, one
 * that only looks profitable is not, and a quote with problems is not used. */
#include <stdio.h>

#include "examples/report.h"
#include "suite.h"

#define MAX_AGE_MS 3000

static struct venue venues[4];
static size_t count;
static struct opportunity found[8];

static struct decimal number(const char *text)
{
    struct decimal d;
    ck_assert(decimal_read(span_of(text), &d));
    return d;
}

static struct venue *venue(const char *name, const char *symbol, const char *bid, const char *ask,
                           const char *fee)
{
    struct venue *v = &venues[count++];
    *v = (struct venue){.symbol = span_of(symbol), .answered = true, .fee = number(fee)};
    snprintf(v->name, sizeof v->name, "%s", name);
    ck_assert(pair_read(span_of(symbol), &v->quote.pair));
    v->quote.bid = number(bid);
    v->quote.ask = number(ask);
    v->state = venue_judge(v, MAX_AGE_MS);
    return v;
}

static size_t search(const char *least)
{
    return scan(venues, count, number(least), found, COUNT_OF(found));
}

static void is(struct decimal d, const char *expected)
{
    char text[DECIMAL_TEXT_SIZE];
    ck_assert_str_eq(decimal_text(d, text), expected);
}

START_TEST(an_opportunity_net_of_fees)
{
    venue("a", "SOLUSD", "149.98", "150.02", "0.1");
    venue("b", "SOL-USD", "153.00", "153.10", "0.4");
    ck_assert_uint_eq(search("0"), 1);
    ck_assert_str_eq(found[0].buy->name, "a");
    ck_assert_str_eq(found[0].sell->name, "b");
    is(found[0].cost, "150.17002");
    is(found[0].proceeds, "152.38800");
    is(found[0].profit, "2.21798");
    is(found[0].percent, "1.4769"); /* 1.47697…, rounded down */
    ck_assert_uint_eq(search("1.4769"), 1);
    ck_assert_uint_eq(search("1.477"), 0);
}
END_TEST

START_TEST(the_other_direction)
{
    venue("a", "SOLUSD", "153.00", "153.10", "0");
    venue("b", "SOLUSD", "149.98", "150.02", "0");
    ck_assert_uint_eq(search("0"), 1);
    ck_assert_str_eq(found[0].buy->name, "b");
}
END_TEST

START_TEST(fees_to_the_last_digit)
{
    struct venue *a = venue("a", "BTCUSD", "99", "100", "0.1");
    venue("b", "BTCUSD", "100.20", "101", "0.1");
    ck_assert_uint_eq(search("0"), 0); /* 100.0998 for 100.1 */
    venues[1].quote.bid = number("100.2003");
    ck_assert_uint_eq(search("0"), 1); /* 100.1000997 */
    is(found[0].profit, "0.0000997");
    a->fee = number("0.1000997"); /* a profit of 0 is not an opportunity */
    ck_assert_uint_eq(search("0"), 0);
}
END_TEST

/* |ask − bid| / bid is over 2 %, and a loss in either direction. */
START_TEST(what_only_looks_like_one)
{
    venue("a", "ETHUSD", "2985", "3050", "0");
    venue("b", "ETHUSD", "2980", "3010", "0");
    ck_assert_uint_eq(search("0"), 0);
    venues[1].quote.bid = number("3050"); /* buying and selling at the same price yields nothing */
    ck_assert_uint_eq(search("0"), 0);
}
END_TEST

START_TEST(ill_quotes_are_not_traded_on)
{
    struct venue *b;
    venue("a", "SOLUSD", "149", "150", "0");
    b = venue("b", "SOLUSD", "160", "161", "0");
    ck_assert_uint_eq(search("0"), 1);
    b->stale = true;
    ck_assert_int_eq(b->state = venue_judge(b, MAX_AGE_MS), VENUE_STALE);
    ck_assert_uint_eq(search("0"), 0);
    b->stale = false;
    b->age_ms = MAX_AGE_MS + 1;
    ck_assert_int_eq(b->state = venue_judge(b, MAX_AGE_MS), VENUE_OLD);
    ck_assert_uint_eq(search("0"), 0);
    b->age_ms = MAX_AGE_MS;
    b->quote.ask = number("0.00");
    ck_assert_int_eq(b->state = venue_judge(b, MAX_AGE_MS), VENUE_ONE_SIDED);
    ck_assert_uint_eq(search("0"), 0); /* though it could be sold there */
    b->quote.ask = number("159.99");
    ck_assert_int_eq(b->state = venue_judge(b, MAX_AGE_MS), VENUE_CROSSED);
    ck_assert_uint_eq(search("0"), 0);
    b->quote.ask = number("160");
    ck_assert_int_eq(b->state = venue_judge(b, MAX_AGE_MS), VENUE_GOOD);
    ck_assert_uint_eq(search("0"), 1);
    b->state = VENUE_FAILED;
    ck_assert_uint_eq(search("0"), 0);
    b->state = VENUE_WAITING;
    ck_assert_uint_eq(search("0"), 0);
}
END_TEST

START_TEST(other_pairs_and_impossible_sums)
{
    venue("a", "SOLUSD", "149", "150", "0");
    venue("b", "SOLUSDT", "160", "161", "0");
    ck_assert_uint_eq(search("0"), 0);
    count = 0;
    venue("a", "SOLUSD", "1", "0.12345678901234567", "0.123456");
    venue("b", "SOLUSD", "999999999999999998", "999999999999999999", "0.123456");
    ck_assert_uint_eq(search("0"), 0); /* left out instead of being wrong */
}
END_TEST

START_TEST(the_best_come_first)
{
    static const char *const bids[] = {"151", "154", "152", "153"};
    for (size_t i = 0; i < COUNT_OF(bids); i++) {
        char name[2] = {(char)('a' + (int)i), '\0'};
        venue(name, "SOLUSD", bids[i], "154", "0");
    }
    venues[0].quote.ask = number("151");
    ck_assert_uint_eq(scan(venues, count, number("0"), found, 2), 2); /* of three */
    ck_assert_str_eq(found[0].sell->name, "b");
    ck_assert_str_eq(found[1].sell->name, "d");
    ck_assert_uint_eq(search("0"), 3);
    ck_assert_str_eq(found[2].sell->name, "c");
}
END_TEST

START_TEST(reports)
{
    struct text out = {0};
    struct venue *v = venue("a", "SOLUSD", "149.98", "150.02", "0.1");
    struct findings f = {.venues = venues, .opportunities = found};
    venue("b", "SOLUSD", "153.00", "153.10", "0.4");
    f.opportunity_count = search("0");
    f.venue_count = count;
    v->stale = true;
    snprintf(v->error, sizeof v->error, "bad\033[2J\xff");
    report_table(&f, &out);
    ck_assert_ptr_nonnull(strstr(out.at, "good: bad?[2J"));
    ck_assert_ptr_nonnull(strstr(out.at, "1.4769\n"));
    text_clear(&out);
    report_json(&f, 1234, &out);
    ck_assert_ptr_nonnull(strstr(out.at, "{\"at_ms\":1234,\"quotes\":[{\"exchange\":\"a\""));
    ck_assert_ptr_nonnull(strstr(out.at, "\"bid\":\"149.98\",\"ask\":\"150.02\",\"age_ms\":0,"
                                         "\"stale\":true,\"error\":\"(not UTF-8)\"}"));
    ck_assert_ptr_nonnull(strstr(out.at, "\"profit\":\"2.21798\",\"percent\":\"1.4769\"}]}\n"));
    text_clear(&out);
    f.opportunity_count = 0;
    report_table(&f, &out);
    ck_assert_ptr_nonnull(strstr(out.at, "\nno opportunity"));
    text_free(&out);
}
END_TEST

static void begin(void)
{
    count = 0;
}

SUITE()
{
    FIXTURE(begin, NULL);
    TEST(an_opportunity_net_of_fees);
    TEST(the_other_direction);
    TEST(fees_to_the_last_digit);
    TEST(what_only_looks_like_one);
    TEST(ill_quotes_are_not_traded_on);
    TEST(other_pairs_and_impossible_sums);
    TEST(the_best_come_first);
    TEST(reports);
}
