/* What becomes of single lines: which is lent, when each is retired, and how
 * many are kept open. Seen through their pool, over a fake connector. */
#include <check.h>

#include "config_fixture.h"
#include "pool_fixture.h"

/* So many lines are established, and idle. */
static void open_lines(size_t count)
{
    for (size_t i = 0; i < count; i++)
        call(i, false);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    for (size_t i = 0; i < count; i++)
        hang_up(i);
    ck_assert_uint_eq(look().idle, count);
}

static uint64_t closed(enum close_reason why)
{
    return look().stats->closed[why];
}

/* ------------------------------------------------------------ lending */

START_TEST(test_newest_first)
{
    begin("");
    open_lines(3);
    call(10, false);
    ck_assert_uint_eq(callers[10].conn->number, 3);
    call(11, false);
    ck_assert_uint_eq(callers[11].conn->number, 2);
    hang_up(10);
    call(12, true); /* an order too prefers the line used most recently */
    ck_assert_uint_eq(callers[12].conn->number, 3);
    ck_assert(callers[12].reused);
    finish();
}
END_TEST

START_TEST(test_order_wants_a_quiet_line)
{
    begin("");
    open_lines(3);
    fake_conn_at(line_maker, 1)->unquiet = true;
    fake_conn_at(line_maker, 2)->unquiet = true;
    call(10, true);
    ck_assert_uint_eq(callers[10].conn->number, 1);
    ck_assert_uint_eq(closed(CLOSE_PEER), 2);
    finish();
    begin("");
    open_lines(1);
    fake_conn_at(line_maker, 0)->unquiet = true;
    call(10, false); /* others do not pay for the look */
    ck_assert_ptr_nonnull(callers[10].conn);
    finish();
    begin("");
    open_lines(1);
    fake_conn_at(line_maker, 0)->unquiet = true;
    call(10, true);
    ck_assert(callers[10].waits);
    fake_connect(line_maker);
    ck_assert_uint_eq(callers[10].conn->number, 2);
    ck_assert(!callers[10].reused);
    finish();
}
END_TEST

/* What lies unread on a new line may be TLS tickets, or its end: an order waits
 * until that is read. */
START_TEST(test_order_on_a_new_line)
{
    begin("min_idle = 1");
    fake_connect(line_maker)->unquiet = true;
    call(0, true);
    ck_assert(callers[0].waits);
    fake_conn_at(line_maker, 0)->unquiet = false;
    loop_skip(loop, 2);
    ck_assert_uint_eq(callers[0].conn->number, 1);
    ck_assert_uint_eq(line_maker->started, 1);
    finish();
    begin("min_idle = 1");
    fake_connect(line_maker)->unquiet = true;
    call(0, true);
    ck_assert(callers[0].waits);
    fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
    fake_connect(line_maker);
    ck_assert_uint_eq(callers[0].conn->number, 2);
    finish();
    begin("min_idle = 1");
    fake_connect(line_maker)->unquiet = true;
    call(0, true);
    for (int ms = 0; ms < 100 && line_maker->dials.count == 0; ms++)
        loop_skip(loop, 1); /* it is not read: part of a record, whose rest stays away */
    ck_assert_uint_eq(closed(CLOSE_PEER), 1);
    ck_assert(callers[0].waits);
    finish();
}
END_TEST

/* A waiting order is given only a quiet line as well. */
START_TEST(test_waiting_order)
{
    begin("max_connections = 1");
    call(0, false);
    fake_connect(line_maker);
    call(1, true);
    callers[0].conn->unquiet = true;
    hang_up(0);
    ck_assert(callers[1].waits);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[1].conn);
    finish();
}
END_TEST

/* ------------------------------------------------------------ retiring */

START_TEST(test_max_idle)
{
    begin("max_idle = 2");
    for (size_t i = 0; i < 4; i++)
        call(i, false);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    for (size_t i = 0; i < 4; i++)
        hang_up(i);
    ck_assert_uint_eq(look().idle, 2);
    ck_assert_uint_eq(closed(CLOSE_MAX_IDLE), 2);
    ck_assert_uint_eq(fake_conn_at(line_maker, 0)->number, 3); /* the oldest went */
    finish();
}
END_TEST

START_TEST(test_max_requests)
{
    begin("max_requests = 3");
    for (size_t i = 0; i < 7; i++) {
        call(i, false);
        if (line_maker->dials.count)
            fake_connect(line_maker);
        ck_assert_uint_eq(callers[i].conn->number, i / 3 + 1);
        ck_assert_int_eq(callers[i].reused, i % 3 != 0);
        hang_up(i);
    }
    ck_assert_uint_eq(closed(CLOSE_MAX_REQUESTS), 2);
    finish();
}
END_TEST

/* ±10 %: none goes before nine tenths, all are gone after eleven, not all at once. */
START_TEST(test_max_age)
{
    begin("max_age = 100s\nidle_timeout = 1h\nmax_connections = 60\nmax_idle = 60");
    open_lines(60);
    loop_skip(loop, 89000);
    ck_assert_uint_eq(look().idle, 60);
    loop_skip(loop, 11000);
    ck_assert_uint_gt(look().idle, 5);
    ck_assert_uint_lt(look().idle, 55);
    loop_skip(loop, 10100);
    ck_assert_uint_eq(look().idle, 0);
    ck_assert_uint_eq(closed(CLOSE_MAX_AGE), 60);
    finish();
}
END_TEST

START_TEST(test_max_age_of_a_busy_one)
{
    begin("max_age = 100s");
    call(0, false);
    fake_connect(line_maker);
    loop_skip(loop, 150000);
    ck_assert_uint_eq(look().active, 1); /* it may finish */
    hang_up(0);
    ck_assert_uint_eq(closed(CLOSE_MAX_AGE), 1);
    finish();
}
END_TEST

START_TEST(test_idle_timeout)
{
    begin("idle_timeout = 10s");
    open_lines(2);
    loop_skip(loop, 6000);
    call(10, false); /* begins anew for the one that is used */
    hang_up(10);
    loop_skip(loop, 6000);
    ck_assert_uint_eq(look().idle, 1);
    ck_assert_uint_eq(closed(CLOSE_IDLE_TIMEOUT), 1);
    call(11, false);
    loop_skip(loop, 60000); /* a busy one is not idle */
    ck_assert_ptr_nonnull(callers[11].conn);
    hang_up(11);
    ck_assert_uint_eq(look().idle, 1);
    finish();
}
END_TEST

/* The origin closes idle lines at 30 s: from the third time on ours go at 27 s. */
START_TEST(test_idle_learn)
{
    begin("idle_timeout = 90s");
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(look().learned_idle_ms, -1);
        open_lines(1);
        loop_skip(loop, 30000);
        fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
    }
    ck_assert_int_ge(look().learned_idle_ms, 30000);
    ck_assert_int_le(look().learned_idle_ms, 31000);
    open_lines(1);
    loop_skip(loop, 26000);
    ck_assert_uint_eq(look().idle, 1);
    loop_skip(loop, 3000);
    ck_assert_uint_eq(look().idle, 0);
    ck_assert_uint_eq(closed(CLOSE_IDLE_TIMEOUT), 1);
    loop_skip(loop, 3700 * 1000);
    ck_assert_int_eq(look().learned_idle_ms, -1);
    finish();
    begin("idle_learn = no");
    for (size_t i = 0; i < 4; i++) {
        open_lines(1);
        loop_skip(loop, 30000);
        fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
    }
    ck_assert_int_eq(look().learned_idle_ms, -1);
    finish();
}
END_TEST

/* Restarts under traffic: lines that were idle for a moment, or for this long and that. */
START_TEST(test_restarts_teach_nothing)
{
    static const uint64_t idle_ms[] = {150, 150, 9000, 40000, 150, 2500, 70000};
    begin("max_connections = 4\nmin_idle = 1");
    for (size_t i = 0; i < COUNT_OF(idle_ms); i++) {
        open_lines(4);
        loop_skip(loop, idle_ms[i] / 2);
        call(10, false);
        hang_up(10);
        loop_skip(loop, idle_ms[i] - idle_ms[i] / 2);
        while (line_maker->lines.count)
            fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
        loop_skip(loop, 1300);
    }
    ck_assert_int_eq(look().learned_idle_ms, -1);
    finish();
}
END_TEST

/* The origin's own word bounds how long a line rests, below idle_timeout alone. */
START_TEST(test_the_origins_hint)
{
    begin("idle_timeout = 10s");
    open_lines(1);
    call(10, false);
    callers[10].conn->base.rest_most_ms = 4000;
    hang_up(10);
    loop_skip(loop, 3900);
    ck_assert_uint_eq(look().idle, 1);
    call(11, false); /* what was said holds until something else is said */
    hang_up(11);
    loop_skip(loop, 4000);
    ck_assert_uint_eq(look().idle, 0);
    ck_assert_uint_eq(closed(CLOSE_IDLE_TIMEOUT), 1);
    open_lines(1);
    call(12, false);
    callers[12].conn->base.rest_most_ms = 40000;
    hang_up(12);
    loop_skip(loop, 10000);
    ck_assert_uint_eq(look().idle, 0);
    finish();
}
END_TEST

/* A close within a request, or by us, says nothing of idle limits. */
START_TEST(test_not_learned)
{
    begin("");
    for (size_t i = 0; i < 3; i++) {
        call(i, false);
        fake_connect(line_maker);
        loop_skip(loop, 30000);
        lose(i, CLOSE_PEER);
    }
    ck_assert_int_eq(look().learned_idle_ms, -1);
    finish();
}
END_TEST

/* ------------------------------------------------------------ the floor */

START_TEST(test_floor_from_the_start)
{
    begin("min_idle = 3");
    ck_assert_uint_eq(line_maker->dials.count, 3);
    ck_assert(!pool_floor_tried(pool));
    fake_connect(line_maker);
    fake_connect(line_maker);
    ck_assert(!pool_floor_tried(pool));
    fake_connect(line_maker);
    ck_assert(pool_floor_tried(pool));
    call(0, false);
    call(1, false);
    ck_assert_uint_eq(line_maker->dials.count, 0); /* lent ones count as open */
    finish();
    begin("min_idle = 3");
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert(pool_floor_tried(pool));
    finish();
    begin("");
    ck_assert(pool_floor_tried(pool));
    finish();
}
END_TEST

START_TEST(test_floor_after_loss)
{
    begin("min_idle = 2\nidle_timeout = 1h");
    fake_connect(line_maker);
    fake_connect(line_maker);
    call(0, false);
    hang_up(0);
    fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
    ck_assert_uint_eq(line_maker->dials.count, 0); /* a moment later */
    loop_skip(loop, 200);
    ck_assert_uint_eq(line_maker->dials.count, 1);
    fake_connect(line_maker);
    ck_assert_uint_eq(look().idle, 2);
    finish();
}
END_TEST

/* An origin that ends every line unused is dialled ever more slowly. */
START_TEST(test_floor_is_paced)
{
    unsigned dials_early, dials_late;
    begin("min_idle = 1\nbreaker_max = 5s");
    for (int i = 0; i < 100; i++) { /* ten seconds */
        if (line_maker->dials.count) {
            fake_connect(line_maker);
            fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
        }
        loop_skip(loop, 100);
    }
    dials_early = line_maker->started;
    ck_assert_uint_le(dials_early, 10);
    for (int i = 0; i < 300; i++) {
        if (line_maker->dials.count) {
            fake_connect(line_maker);
            fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
        }
        loop_skip(loop, 100);
    }
    dials_late = line_maker->started - dials_early;
    ck_assert_uint_ge(dials_late, 5);
    ck_assert_uint_le(dials_late, 8);
    finish();
}
END_TEST

START_TEST(test_floor_after_failure)
{
    begin("min_idle = 2\nbreaker_failures = 3\nbreaker_min = 1s\nbreaker_max = 2s");
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    loop_skip(loop, 700);
    ck_assert_uint_eq(line_maker->dials.count, 0);
    loop_skip(loop, 600);
    ck_assert_uint_eq(line_maker->dials.count, 2);
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED); /* opens the circuit */
    fake_refuse(line_maker, FAILURE_CONNECTION_REFUSED);
    loop_skip(loop, 2500);
    ck_assert_uint_eq(line_maker->dials.count, 1); /* one probe */
    fake_connect(line_maker);
    ck_assert_uint_eq(line_maker->dials.count, 1); /* and the rest after it */
    fake_connect(line_maker);
    ck_assert_uint_eq(look().idle, 2);
    finish();
}
END_TEST

/* Of two lines one is found unfit when an order asks; the other serves it. */
START_TEST(test_floor_after_unfit)
{
    begin("min_idle = 2\nidle_timeout = 1h");
    fake_connect(line_maker);
    fake_connect(line_maker);
    fake_conn_at(line_maker, 1)->unquiet = true;
    loop_skip(loop, 5000);
    call(0, true);
    ck_assert_uint_eq(callers[0].conn->number, 1);
    hang_up(0);
    loop_skip(loop, 10000);
    ck_assert_uint_eq(pool_lines(pool), 2);
    finish();
}
END_TEST

/* In place of those that were idle for too long others are opened, one a second. */
START_TEST(test_floor_at_idle_timeout)
{
    begin("min_idle = 3\nidle_timeout = 10s");
    while (line_maker->dials.count)
        fake_connect(line_maker);
    loop_skip(loop, 10100);
    ck_assert_uint_eq(closed(CLOSE_IDLE_TIMEOUT), 3);
    for (unsigned opened = 1; opened <= 3; opened++) {
        ck_assert_uint_eq(line_maker->dials.count, 1);
        ck_assert_uint_eq(line_maker->started, 3 + opened);
        fake_connect(line_maker);
        ck_assert_uint_eq(line_maker->dials.count, 0);
        loop_skip(loop, 1000);
    }
    ck_assert_uint_eq(pool_lines(pool), 3);
    finish();
}
END_TEST

/* Whatever ends the lines of a pool that nobody asks anything, ten seconds see no more
 * than ten handshakes beside what the first fill took. */
static void end_all(int how)
{
    switch (how) {
    case 0: /* the origin closes all at once */
    case 1: /* or at a very young age */
        while (line_maker->lines.count)
            fake_conn_gone(fake_conn_at(line_maker, 0), how ? CLOSE_ERROR : CLOSE_PEER);
        break;
    case 2: /* the name's addresses change */
        line_maker->gone_below = line_maker->opened + 1;
        line_maker->base.on_answer(pool);
        break;
    default: break; /* idle_timeout, or max_age */
    }
}

START_TEST(test_no_storm)
{
    static const char *const directives[] = {"", "", "", "idle_timeout = 100ms", "max_age = 100ms"};
    struct text all = {0};
    text_printf(&all, "min_idle = 30\nmax_connections = 40\nmax_idle = 40\n%s", directives[_i]);
    begin(all.at);
    text_free(&all);
    ck_assert_uint_eq(line_maker->started, 30);
    unsigned seconds = _i < 3 ? 10 : 40;
    for (unsigned i = 0; i < seconds * 10; i++) {
        while (line_maker->dials.count)
            fake_connect(line_maker);
        end_all(_i);
        loop_skip(loop, 100);
    }
    ck_assert_uint_ge(line_maker->started, 30 + seconds / 4); /* it does not give up either */
    ck_assert_uint_le(line_maker->started, 30 + seconds + 1);
    finish();
}
END_TEST

/* Lines that live shorter than min_idle seconds are there together all the same. */
START_TEST(test_a_floor_of_short_lives)
{
    begin("min_idle = 3\nidle_timeout = 300ms");
    unsigned together = 0;
    for (int i = 0; i < 100; i++) {
        while (line_maker->dials.count)
            fake_connect(line_maker);
        together += look().idle == 3;
        loop_skip(loop, 100);
    }
    ck_assert_uint_ge(together, 6);
    ck_assert_uint_le(line_maker->started, 3 + 11);
    finish();
}
END_TEST

/* Lines that end before the first fill is done are not filled up at once again. */
START_TEST(test_no_storm_while_filling)
{
    begin("min_idle = 10");
    for (int i = 0; i < 100; i++) {
        if (line_maker->dials.count)
            fake_connect(line_maker);
        while (line_maker->lines.count)
            fake_conn_gone(fake_conn_at(line_maker, 0), CLOSE_PEER);
        loop_skip(loop, 100);
    }
    ck_assert_uint_le(line_maker->started, 10 + 11);
    finish();
}
END_TEST

/* What an operator does is done at once. */
START_TEST(test_floor_after_verbs)
{
    begin("min_idle = 3");
    while (line_maker->dials.count)
        fake_connect(line_maker);
    pool_command(pool, POOL_RECONNECT);
    ck_assert_uint_eq(line_maker->dials.count, 3);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    pool_command(pool, POOL_DRAIN);
    ck_assert_uint_eq(pool_lines(pool), 0);
    pool_command(pool, POOL_RESUME);
    ck_assert_uint_eq(line_maker->dials.count, 3);
    struct config *other =
        parse_good("upstream a {\nurl = \"https://a.example\"\nhttp2 = never\nmin_idle = 5\n}\n");
    while (line_maker->dials.count)
        fake_connect(line_maker);
    pool_configure(pool, other, find(other, "a"), false);
    config_unref(other);
    ck_assert_uint_eq(line_maker->dials.count, 2);
    finish();
}
END_TEST

/* ------------------------------------------------------------ changes */

START_TEST(test_dns_change)
{
    begin("");
    call(9, false);
    ck_assert_ptr_null(line_maker->watcher);
    fake_connect(line_maker); /* the first one */
    open_lines(3);
    ck_assert_ptr_eq(line_maker->watcher, pool);
    line_maker->gone_below = 3; /* 1 and 2 */
    line_maker->base.on_answer(pool);
    ck_assert_uint_eq(closed(CLOSE_DNS_CHANGE), 1);
    ck_assert_uint_eq(look().idle, 2);
    hang_up(9); /* the busy one on its return */
    ck_assert_uint_eq(closed(CLOSE_DNS_CHANGE), 2);
    line_maker->gone_below = 5;
    line_maker->base.on_answer(pool);
    ck_assert_uint_eq(pool_lines(pool), 0);
    ck_assert_ptr_null(line_maker->watcher); /* nobody asks for the name any more */
    finish();
}
END_TEST

START_TEST(test_renewed)
{
    begin("min_idle = 1");
    fake_connect(line_maker);
    call(0, false);
    call(1, false); /* dialled for under the old settings */
    struct config *other =
        parse_good("upstream a {\nurl = \"https://a.example\"\ntls_name = \"b.example\"\n}\n");
    pool_configure(pool, other, find(other, "a"), true);
    config_unref(other);
    ck_assert_uint_eq(line_maker->cancelled, 1); /* and dialled for anew */
    ck_assert_uint_eq(line_maker->dials.count, 1);
    ck_assert(callers[1].waits);
    fake_connect(line_maker);
    ck_assert_ptr_nonnull(callers[1].conn);
    hang_up(0);
    ck_assert_uint_eq(closed(CLOSE_RECONNECT), 1);
    hang_up(1);
    ck_assert_uint_eq(look().idle, 1);
    finish();
}
END_TEST

START_TEST(test_max_idle_lowered)
{
    begin("");
    open_lines(4);
    struct config *other =
        parse_good("upstream a {\nurl = \"https://a.example\"\nmax_idle = 1\nmin_idle = 0\n}\n");
    pool_configure(pool, other, find(other, "a"), false);
    config_unref(other);
    ck_assert_uint_eq(look().idle, 1);
    ck_assert_uint_eq(closed(CLOSE_MAX_IDLE), 3);
    ck_assert_uint_eq(fake_conn_at(line_maker, 0)->number, 4);
    finish();
}
END_TEST

START_TEST(test_cancelled_dials)
{
    begin("min_idle = 3");
    unsigned dials = line_maker->started;
    fake_connect(line_maker);
    ck_assert_uint_eq(dials, 3);
    finish(); /* two under way: the connector checks that they are cancelled */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("lines");
    TCase *c = tcase_create("all");
    tcase_add_test(c, test_newest_first);
    tcase_add_test(c, test_order_wants_a_quiet_line);
    tcase_add_test(c, test_order_on_a_new_line);
    tcase_add_test(c, test_waiting_order);
    tcase_add_test(c, test_max_idle);
    tcase_add_test(c, test_max_requests);
    tcase_add_test(c, test_max_age);
    tcase_add_test(c, test_max_age_of_a_busy_one);
    tcase_add_test(c, test_idle_timeout);
    tcase_add_test(c, test_idle_learn);
    tcase_add_test(c, test_restarts_teach_nothing);
    tcase_add_test(c, test_the_origins_hint);
    tcase_add_test(c, test_not_learned);
    tcase_add_test(c, test_floor_from_the_start);
    tcase_add_test(c, test_floor_after_loss);
    tcase_add_test(c, test_floor_is_paced);
    tcase_add_test(c, test_floor_after_failure);
    tcase_add_test(c, test_floor_after_unfit);
    tcase_add_test(c, test_floor_at_idle_timeout);
    tcase_add_loop_test(c, test_no_storm, 0, 5);
    tcase_add_test(c, test_a_floor_of_short_lives);
    tcase_add_test(c, test_no_storm_while_filling);
    tcase_add_test(c, test_floor_after_verbs);
    tcase_add_test(c, test_dns_change);
    tcase_add_test(c, test_renewed);
    tcase_add_test(c, test_max_idle_lowered);
    tcase_add_test(c, test_cancelled_dials);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
