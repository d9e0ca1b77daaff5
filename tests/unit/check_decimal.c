/* The example's exact decimals: reading, writing, and arithmetic at the limits. */
#include "examples/decimal.h"
#include "suite.h"

static struct decimal number(const char *text)
{
    struct decimal d;
    ck_assert_msg(decimal_read(span_of(text), &d), "'%s' was refused", text);
    return d;
}

static void is(struct decimal d, const char *expected)
{
    char text[DECIMAL_TEXT_SIZE];
    ck_assert_str_eq(decimal_text(d, text), expected);
}

START_TEST(numbers_read_back)
{
    static const char *const good[] = {"0",     "7",          "0.05",
                                       "-0.1",  "63999.50",   "0.00001234",
                                       "-1200", "1000.00000", "123456789012345678"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        is(number(good[i]), good[i]);
    is(number("007.50"), "7.50");
}
END_TEST

START_TEST(what_is_no_number_is_refused)
{
    static const char *const bad[] = {"",
                                      "-",
                                      ".",
                                      ".5",
                                      "5.",
                                      "1.2.3",
                                      "1e5",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1,5",
                                      "--1",
                                      "0x10",
                                      "NaN",
                                      "inf",
                                      "1.-2",
                                      "1.5f",
                                      "１",
                                      "1234567890123456789",
                                      "0.1234567890123456789"};
    struct decimal d;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_msg(!decimal_read(span_of(bad[i]), &d), "'%s' was taken", bad[i]);
    ck_assert(!decimal_read((struct span){"1\0", 2}, &d));
}
END_TEST

START_TEST(sums_and_products_are_exact)
{
    struct decimal d;
    ck_assert(decimal_subtract(number("0.3"), number("0.1"), &d));
    is(d, "0.2");
    ck_assert(decimal_subtract(number("1"), number("0.00000000000000001"), &d));
    is(d, "0.99999999999999999");
    ck_assert(decimal_subtract(number("100"), number("-0.26"), &d));
    is(d, "100.26");
    ck_assert(decimal_multiply(number("0.1"), number("-0.2"), &d));
    is(d, "-0.02");
    ck_assert(decimal_multiply(number("123456789.012345678"), number("99.999999"), &d));
    is(d, "12345678777.777778787654322");
}
END_TEST

START_TEST(what_does_not_fit_is_said)
{
    struct decimal big = number("999999999999999999"), d;
    ck_assert(decimal_multiply(big, big, &d));
    is(d, "999999999999999998000000000000000001");
    ck_assert(!decimal_multiply(d, number("1000"), &d));
    ck_assert(decimal_multiply(big, big, &d));
    ck_assert(!decimal_subtract(d, number("0.001"), &d));
    ck_assert(!decimal_ratio(big, number("1"), 30, &d));
}
END_TEST

START_TEST(signs_see_through_places)
{
    ck_assert_int_eq(decimal_sign(number("0.00000000")), 0);
    ck_assert_int_eq(decimal_sign(number("-0")), 0);
    ck_assert_int_eq(decimal_sign(number("0.01")), 1);
    ck_assert_int_eq(decimal_sign(number("-0.01")), -1);
}
END_TEST

START_TEST(ratios_are_rounded_down)
{
    struct decimal d;
    ck_assert(decimal_ratio(number("1"), number("3"), 4, &d));
    is(d, "0.3333");
    ck_assert(decimal_ratio(number("-1"), number("3"), 4, &d));
    is(d, "-0.3334");
    ck_assert(decimal_ratio(number("-0.6"), number("0.2"), 2, &d));
    is(d, "-3.00");
    ck_assert(decimal_ratio(number("2"), number("0.001"), 0, &d));
    is(d, "2000");
    ck_assert(!decimal_ratio(number("1"), number("0.00"), 4, &d));
    ck_assert(!decimal_ratio(number("1"), number("-1"), 4, &d));
    is(decimal_floor(number("2.19999"), 2), "2.19");
    is(decimal_floor(number("-2.11"), 1), "-2.2");
    is(decimal_floor(number("-2.00"), 1), "-2.0");
    is(decimal_floor(number("2.1"), 5), "2.1");
}
END_TEST

SUITE()
{
    TEST(numbers_read_back);
    TEST(what_is_no_number_is_refused);
    TEST(sums_and_products_are_exact);
    TEST(what_does_not_fit_is_said);
    TEST(signs_see_through_places);
    TEST(ratios_are_rounded_down);
}
