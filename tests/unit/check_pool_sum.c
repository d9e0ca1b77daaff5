/* What several pools have together. */
#include "upstream/pool_sum.h"

#include "suite.h"

START_TEST(each_figure_is_the_sum)
{
    struct upstream_stats stats = {.succeeded = 5};
    const struct pool_view one = {.idle = 1,
                                  .active = 2,
                                  .connecting = 3,
                                  .waiting = 4,
                                  .requests = 5,
                                  .tunnels = 6,
                                  .max_wait_us = 70,
                                  .exit_count = 2,
                                  .gate = {.rate_held = 8, .rate_refused = 9, .weight_used = 3},
                                  .stats = &stats};
    struct pool_view other = one;
    other.max_wait_us = 60;
    other.gate.rate_held = 100;
    struct pool_sum sum = {0};
    pool_sum_add(&sum, &one);
    pool_sum_add(&sum, &other);
    const struct pool_view v = pool_sum_view(&sum, "others");
    ck_assert_uint_eq(sum.count, 2);
    ck_assert_str_eq(v.name, "others");
    ck_assert(v.idle == 2 && v.active == 4 && v.connecting == 6 && v.waiting == 8);
    ck_assert(v.requests == 10 && v.tunnels == 12);
    ck_assert_uint_eq(v.max_wait_us, 70);
    ck_assert(v.gate.rate_held == 108 && v.gate.rate_refused == 18);
    ck_assert_uint_eq(v.stats->succeeded, 10);
    ck_assert(v.state == NULL && v.origin == NULL && v.breaker == NULL && v.exit_count == 0);
    ck_assert(v.gate.weight_used == -1 && v.learned_idle_ms == -1);
    pool_sum_clear(&sum);
    ck_assert(sum.count == 0 && sum.view.idle == 0);
}
END_TEST

SUITE()
{
    TEST(each_figure_is_the_sum);
}
