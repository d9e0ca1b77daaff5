/* Percentiles from a microsecond to an hour, within 2 %. */
#include "base/histogram.h"

#include "suite.h"

#define HOUR_US (3600ull * 1000 * 1000)

static uint64_t at_most(const struct histogram *h, uint64_t us)
{
    uint64_t count;
    histogram_cumulate(h, &us, &count, 1);
    return count;
}

START_TEST(empty)
{
    struct histogram h = {0};
    ck_assert_uint_eq(histogram_percentile(&h, 0.5), 0);
    ck_assert_uint_eq(at_most(&h, 1000), 0);
    histogram_free(&h);
}
END_TEST

START_TEST(one_value_is_every_percentile)
{
    static const uint64_t values[] = {0, 1, 63, 64, 127, 128, 1000, 8191, 8192, 123456789, HOUR_US};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct histogram h = {0};
        histogram_add(&h, values[i]);
        ck_assert_uint_eq(histogram_percentile(&h, 0), values[i]);
        ck_assert_uint_eq(histogram_percentile(&h, 0.5), values[i]);
        ck_assert_uint_eq(histogram_percentile(&h, 1), values[i]);
        histogram_free(&h);
    }
}
END_TEST

START_TEST(buckets_are_narrow)
{
    for (uint64_t us = 1; us <= HOUR_US; us += 1 + us / 37) {
        struct histogram h = {0};
        histogram_add(&h, us);
        histogram_add(&h, HOUR_US);
        uint64_t p = histogram_percentile(&h, 0.5);
        ck_assert_uint_ge(p, us);
        ck_assert(us < 128 ? p == us : (double)p <= (double)us * 1.02);
        histogram_free(&h);
    }
}
END_TEST

START_TEST(percentiles_of_many)
{
    struct histogram h = {0};
    for (uint64_t us = 1; us <= 10000; us++)
        histogram_add(&h, us);
    static const double shares[] = {0.1, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < COUNT_OF(shares); i++) {
        double p = (double)histogram_percentile(&h, shares[i]);
        ck_assert_double_ge(p, shares[i] * 10000);
        ck_assert_double_le(p, shares[i] * 10000 * 1.02);
    }
    ck_assert_uint_eq(histogram_percentile(&h, 1), 10000);
    ck_assert_uint_eq(h.count, 10000);
    ck_assert_uint_eq(h.sum_us, 10000ull * 10001 / 2);
    ck_assert_uint_eq(h.max_us, 10000);
    histogram_free(&h);
}
END_TEST

START_TEST(cumulative_counts_grow_to_all)
{
    struct histogram h = {0};
    for (uint64_t us = 1; us <= 10000; us++)
        histogram_add(&h, us);
    ck_assert_uint_eq(at_most(&h, 0), 0);
    ck_assert_uint_eq(at_most(&h, 100), 100);
    uint64_t last = 0;
    for (uint64_t us = 1; us < 12000; us += 7) {
        uint64_t n = at_most(&h, us);
        ck_assert_uint_ge(n, last);
        ck_assert_uint_ge(n, us < 10000 ? us : 10000);
        ck_assert_double_le((double)n, (double)us * 1.02);
        last = n;
    }
    ck_assert_uint_eq(at_most(&h, 10000), 10000);
    ck_assert_uint_eq(at_most(&h, UINT64_MAX), 10000);
    histogram_free(&h);
}
END_TEST

START_TEST(many_bounds_in_one_walk)
{
    static const uint64_t bounds[] = {0, 100, 101, 2500, 9999, 10000, HOUR_US};
    uint64_t counts[COUNT_OF(bounds)];
    struct histogram h = {0};
    histogram_cumulate(&h, bounds, counts, COUNT_OF(bounds));
    for (size_t i = 0; i < COUNT_OF(bounds); i++)
        ck_assert_uint_eq(counts[i], 0);
    for (uint64_t us = 1; us <= 10000; us++)
        histogram_add(&h, us);
    histogram_cumulate(&h, bounds, counts, COUNT_OF(bounds));
    for (size_t i = 0; i < COUNT_OF(bounds); i++)
        ck_assert_uint_eq(counts[i], at_most(&h, bounds[i]));
    histogram_free(&h);
}
END_TEST

START_TEST(adding_all_of_another)
{
    struct histogram a = {0}, b = {0};
    histogram_add_all(&a, &b);
    ck_assert_ptr_null(a.buckets);
    histogram_add(&b, 50);
    histogram_add(&b, 7000);
    histogram_add_all(&a, &b);
    histogram_add(&a, 60);
    histogram_add_all(&a, &b);
    ck_assert_uint_eq(a.count, 5);
    ck_assert_uint_eq(a.sum_us, 2 * 7050 + 60);
    ck_assert_uint_eq(a.max_us, 7000);
    ck_assert_uint_eq(at_most(&a, 50), 2);
    ck_assert_uint_eq(at_most(&a, 60), 3);
    ck_assert_uint_eq(b.count, 2);
    histogram_clear(&a);
    ck_assert_uint_eq(a.count + a.sum_us + a.max_us, 0);
    histogram_add(&a, 9);
    ck_assert_uint_eq(histogram_percentile(&a, 0.99), 9);
    histogram_free(&a);
    histogram_free(&b);
}
END_TEST

START_TEST(more_than_an_hour_is_an_hour)
{
    struct histogram h = {0};
    histogram_add(&h, UINT64_MAX);
    ck_assert_uint_eq(h.max_us, HOUR_US);
    ck_assert_uint_eq(histogram_percentile(&h, 0.99), HOUR_US);
    histogram_free(&h);
    ck_assert_uint_eq(h.count, 0);
}
END_TEST

/* In the memory that they need, with the same percentiles. */
START_TEST(packed_values)
{
    struct histogram a = {0}, b = {0};
    struct histogram_packed p;
    histogram_pack(&a, &p);
    ck_assert_ptr_null(p.at);
    histogram_add_packed(&b, &p);
    ck_assert_uint_eq(b.count, 0);
    for (uint64_t us = 1; us <= 1000; us++) {
        histogram_add(&a, us * 50);
        histogram_add(&a, 7);
    }
    histogram_pack(&a, &p);
    ck_assert_uint_gt(p.count, 100);
    ck_assert_uint_lt(p.count, 1000);
    histogram_add_packed(&b, &p);
    histogram_add_packed(&b, &p);
    ck_assert_uint_eq(b.count, 4000);
    ck_assert_uint_eq(b.max_us, 50000);
    for (double share = 0.1; share < 1; share += 0.1)
        ck_assert_uint_eq(histogram_percentile(&a, share), histogram_percentile(&b, share));
    histogram_packed_free(&p);
    histogram_packed_free(&p);
    histogram_free(&a);
    histogram_free(&b);
}
END_TEST

SUITE()
{
    TEST(empty);
    TEST(one_value_is_every_percentile);
    TEST(buckets_are_narrow);
    TEST(percentiles_of_many);
    TEST(cumulative_counts_grow_to_all);
    TEST(many_bounds_in_one_walk);
    TEST(adding_all_of_another);
    TEST(more_than_an_hour_is_an_hour);
    TEST(packed_values);
}
