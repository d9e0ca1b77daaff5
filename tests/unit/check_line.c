/* One line: its number, its states, and what is logged about it from the dial to the close. Uses a
 * fake connector. */
#include "upstream/line.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_connector.h"
#include "suite.h"

static struct loop *loop;
static struct fake_connector *line_maker;
static struct upstream_stats stats;
static struct line_env env;
static struct line *line;
static unsigned ups, failures, dues;
static bool freed;
static char logged[4000];
static int saved, ends[2];

static void on_up(void *owner, struct line *l)
{
    ck_assert_ptr_eq(owner, &ups);
    ck_assert_ptr_eq(l, line);
    ups++;
}

static void on_failed(void *owner, struct line *l, enum failure why, const char *detail)
{
    (void)owner, (void)l, (void)why, (void)detail;
    failures++;
}

static void on_change(void *owner, struct line *l)
{
    (void)owner, (void)l;
}

static void on_gone(void *owner, struct line *l, enum close_reason why, const char *detail)
{
    (void)owner, (void)l, (void)why, (void)detail;
}

static void on_due(void *owner, struct line *l, enum close_reason why)
{
    (void)owner, (void)l;
    ck_assert_int_eq(why, CLOSE_IDLE_TIMEOUT);
    dues++;
}

static const struct line_events events = {on_up, on_failed, on_change, on_change, on_gone, on_due};

static void setup(void)
{
    loop = loop_new();
    loop_hold(loop);
    line_maker = fake_connector_new(&freed);
    env = (struct line_env){loop, &line_maker->base, &stats, "upstream a"};
    ups = failures = dues = 0;
    log_set_level(LOG_LEVEL_DEBUG);
    ck_assert_int_eq(pipe(ends), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static void teardown(void)
{
    loop_turn(loop, false);
    line_maker->base.ops->free(&line_maker->base);
    loop_free(loop);
    stats_free(&stats);
    close(ends[0]);
}

/* Checks that the log of this test contains `part`, once. */
static void expect_logged(const char *const *parts, size_t count)
{
    ssize_t n;
    size_t len = 0;
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    log_set_level(LOG_LEVEL_ERROR);
    while ((n = read(ends[0], logged + len, sizeof logged - 1 - len)) > 0)
        len += (size_t)n;
    logged[len] = '\0';
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(strstr(logged, parts[i]) != NULL, "%s is not in:\n%s", parts[i], logged);
}

static const struct upstream_config settings = {.max_age = 0};

START_TEST(its_life_is_logged_with_its_number)
{
    static const char *const words[] = {
        " debug upstream a: dialling for a test line=1\n",
        " debug upstream a: line: connecting -> up line=1\n",
        " debug upstream a: connected to ",
        " debug upstream a: line: up -> idle line=1\n",
        " debug upstream a: line: idle -> lent alone line=1\n",
        " debug upstream a: line: lent alone -> lent line=1\n",
        " debug upstream a: closed: peer, it said so (1 requests, idle for 0 ms, 5000 ms old) "
        "line=1\n",
        " debug upstream a: line: lent -> closed line=1\n",
    };
    struct line_facts facts;
    line = line_new(&env, &settings, "a test", &events, &ups);
    ck_assert_uint_eq(line_number(line), 1);
    ck_assert_uint_eq(line_room(line, 1), 0);
    fake_connect(line_maker)->base.shares = true;
    ck_assert_uint_eq(ups, 1);
    line_rest(line, UINT64_MAX);
    loop_skip(loop, 5000);
    ck_assert_uint_eq(line_idle_ms(line), 5000);
    line_lend(line, true);
    ck_assert_uint_eq(line_room(line, 100), 0);
    ck_assert_uint_eq(line_idle_ms(line), 0);
    ck_assert(line_open_up(line, 100));
    ck_assert(!line_open_up(line, 100)); /* it no longer has the line to itself */
    line_describe(line, &facts);
    ck_assert_uint_eq(facts.number, 1);
    ck_assert(!facts.reused && facts.address[0] != '\0');
    line_close(line, "peer", "it said so");
    line_close(line, "error", "again");
    expect_logged(words, COUNT_OF(words));
    ck_assert_ptr_null(strstr(logged, "again"));
}
END_TEST

START_TEST(numbers_are_never_the_same)
{
    static const char *const words[] = {"dialling for one line=1\n",
                                        "dialling for another line=2\n",
                                        "not connected: given up line=1\n"};
    line = line_new(&env, &settings, "one", &events, &ups);
    struct line *other = line_new(&env, &settings, "another", &events, &ups);
    line_close(line, "given up", "given up");
    loop_turn(loop, false);
    line = line_new(&env, &settings, "the third", &events, &ups);
    ck_assert_uint_eq(line_number(line), 3);
    line_close(line, "given up", "over");
    line_close(other, "given up", "over");
    expect_logged(words, COUNT_OF(words));
    ck_assert_uint_eq(ups + failures, 0);
}
END_TEST

/* When a line is used, the deadline of its idle time is not moved at once, but when it expires. */
START_TEST(its_rest_ends_by_a_deadline)
{
    line = line_new(&env, &settings, "a test", &events, &ups);
    fake_connect(line_maker);
    line_rest(line, 1000);
    loop_skip(loop, 900);
    line_lend(line, false);
    loop_skip(loop, 900);
    ck_assert_uint_eq(dues, 0);
    line_rest(line, 1000);
    loop_skip(loop, 999);
    ck_assert_uint_eq(dues, 0);
    loop_skip(loop, 1);
    ck_assert_uint_eq(dues, 1);
    line_close(line, "idle_timeout", "its time is over");
    expect_logged(NULL, 0);
}
END_TEST

static void idle_line(bool shares)
{
    line = line_new(&env, &settings, "a test", &events, &ups);
    if (shares)
        fake_connect_shared(line_maker, 50);
    else
        fake_connect(line_maker);
    line_rest(line, UINT64_MAX);
}

/* As if an exchange were open on it. */
START_TEST(a_line_that_is_kept_has_less_room)
{
    struct line_hold first = {0}, second = {0};
    log_set_level(LOG_LEVEL_ERROR);
    idle_line(true);
    line_lend(line, false);
    size_t room = line_room(line, 10);
    line_keep(line, &first);
    line_keep(line, &second);
    ck_assert_uint_eq(line_room(line, 10), room - 2);
    ck_assert_uint_eq(line_load(line), 2);
    ck_assert_ptr_eq(line_claim(&first), line);
    ck_assert_uint_eq(line_load(line), 1);
    line_unkeep(&second);
    line_unkeep(&second);
    ck_assert_uint_eq(line_load(line), 0);
    ck_assert_uint_eq(line_uses(line), 0); /* of the one that was lent, one came back */
    line_close(line, "peer", "over");
}
END_TEST

START_TEST(a_line_that_closes_is_kept_no_longer)
{
    struct line_hold h = {0};
    log_set_level(LOG_LEVEL_ERROR);
    idle_line(false);
    line_lend(line, true);
    line_keep(line, &h);
    line_close(line, "peer", "it said so");
    ck_assert_ptr_null(h.line);
    ck_assert_ptr_null(line_claim(&h));
    line_unkeep(&h);
}
END_TEST

/* What has come unasked is its end, or would be taken for the response. */
START_TEST(a_line_that_is_not_quiet_is_given_back)
{
    struct line_hold h = {0};
    log_set_level(LOG_LEVEL_ERROR);
    idle_line(false);
    line_lend(line, true);
    line_keep(line, &h);
    fake_conn_at(line_maker, 0)->unquiet = true;
    ck_assert_ptr_null(line_claim(&h));
    ck_assert_ptr_null(h.line);
    ck_assert_uint_eq(line_uses(line), 0);
    loop_turn(loop, false);
    line_close(line, "peer", "over");
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(its_life_is_logged_with_its_number);
    TEST(numbers_are_never_the_same);
    TEST(its_rest_ends_by_a_deadline);
    TEST(a_line_that_is_kept_has_less_room);
    TEST(a_line_that_closes_is_kept_no_longer);
    TEST(a_line_that_is_not_quiet_is_given_back);
}
