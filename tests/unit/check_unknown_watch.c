/* How many orders of unknown fate, within what time, freeze an upstream. */
#include "proxy/unknown_watch.h"

#include "base/log.h"
#include "suite.h"
#include "until.h"

static struct loop *loop;
static struct freezes *freezes;
static struct unknown_watch *watch;
static const struct config_rate three = {3, 60000};

static void begin(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new();
    loop_hold(loop);
    freezes = freezes_new(loop);
    watch = unknown_watch_new(loop, freezes);
}

static void finish(void)
{
    unknown_watch_free(watch);
    freezes_free(freezes);
    loop_free(loop);
}

static bool is_frozen(const char *upstream)
{
    loop_turn(loop, false);
    return freezes_find(freezes, upstream, SPAN("")) != NULL;
}

static void note(const char *upstream, unsigned count, uint64_t every_ms)
{
    for (unsigned i = 0; i < count; i++) {
        loop_skip(loop, every_ms);
        unknown_watch_note(watch, upstream, &three);
    }
}

START_TEST(the_last_of_them_freezes)
{
    note("a", 2, 0);
    note("b", 2, 0);
    ck_assert(!is_frozen("a") && !is_frozen("b"));
    note("a", 1, 60000);
    ck_assert(is_frozen("a") && !is_frozen("b"));
    ck_assert_str_eq(freezes_find(freezes, "a", SPAN(""))->by, "freeze_on_unknown (3/1m)");
}
END_TEST

START_TEST(old_ones_do_not_count)
{
    note("a", 20, 30001);
    ck_assert(!is_frozen("a"));
    note("a", 1, 29999);
    ck_assert(is_frozen("a"));
}
END_TEST

START_TEST(it_is_counted_anew_after_a_freeze)
{
    note("a", 3, 0);
    ck_assert(is_frozen("a"));
    ck_assert(freezes_lift(freezes, "a", NULL));
    note("a", 2, 0);
    ck_assert(!is_frozen("a"));
    note("a", 1, 0);
    ck_assert(is_frozen("a"));
}
END_TEST

START_TEST(a_new_limit_counts_anew)
{
    static const struct config_rate none = {0}, one = {1, 1}, two = {2, 60000};
    note("a", 2, 0);
    unknown_watch_note(watch, "a", &two);
    ck_assert(!is_frozen("a"));
    for (int i = 0; i < 9; i++)
        unknown_watch_note(watch, "b", &none);
    ck_assert(!is_frozen("b"));
    unknown_watch_note(watch, "b", &one);
    ck_assert(is_frozen("b"));
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(the_last_of_them_freezes);
    TEST(old_ones_do_not_count);
    TEST(it_is_counted_anew_after_a_freeze);
    TEST(a_new_limit_counts_anew);
}
