#include "config/settings.h"
#include "net/loop.h"
#include "proxy/tally.h"
#include "suite.h"

static struct loop *loop;
static struct totals totals;
static struct upstream_stats stats;
static struct upstream_config settings;
static const struct request get = {.method = {"GET", 3}},
                            post = {.method = {"POST", 4}, .is_order = true};

static void begin(void)
{
    loop = loop_new();
    totals = (struct totals){0};
    under_way_init(&totals.under_way, NULL);
    stats = (struct upstream_stats){0};
}

static void finish(void)
{
    loop_free(loop);
    stats_free(&stats);
}

static struct tally start(const struct request *r)
{
    struct tally t;
    tally_begin(&t, loop, &totals, r, "unix");
    tally_upstream(&t, &stats, "a", &settings, SPAN("/order"));
    return t;
}

START_TEST(test_success)
{
    struct tally t = start(&get);
    ck_assert_uint_eq(totals.under_way.requests.count, 1);
    tally_interim(&t);
    tally_head(&t, 204);
    tally_succeed(&t);
    ck_assert_uint_eq(totals.under_way.requests.count, 0);
    ck_assert_uint_eq(totals.succeeded, 1);
    ck_assert_uint_eq(stats.succeeded, 1);
    ck_assert_uint_eq(stats.status[0], 1);
    ck_assert_uint_eq(stats.status[1], 1);
    ck_assert_uint_eq(stats.ended[2], 1);
    ck_assert_uint_eq(stats.total.count, 1);
    ck_assert_str_eq(t.record.upstream, "a");
    ck_assert_uint_eq(t.record.status, 204);
    ck_assert_int_eq(t.record.sent, SENT_YES);
}
END_TEST

/* The first end counts, regardless of later ones. */
START_TEST(test_once)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_REFUSED, SENT_NO, "x");
    struct tally t = start(&get);
    tally_fail(&t, &v, false);
    tally_fail(&t, &v, false);
    tally_succeed(&t);
    tally_leave(&t, SENT_YES);
    ck_assert_uint_eq(totals.under_way.requests.count, 0);
    ck_assert_uint_eq(totals.failed, 1);
    ck_assert_uint_eq(totals.succeeded + totals.abandoned, 0);
    ck_assert_uint_eq(stats.failed, 1);
    ck_assert_uint_eq(stats.errors[FAILURE_CONNECTION_REFUSED], 1);
    ck_assert_uint_eq(stats.status[4], 1);
    ck_assert_uint_eq(t.record.status, 502);
    ck_assert_uint_eq(stats.ended[5], 1);
}
END_TEST

START_TEST(test_server_error)
{
    struct tally t = start(&post);
    tally_head(&t, 503);
    tally_succeed(&t);
    ck_assert_uint_eq(stats.failed, 1);
    ck_assert_uint_eq(stats.succeeded, 0);
    ck_assert_uint_eq(stats.unknown, 1);
    ck_assert_uint_eq(stats.total.count, 1); /* nevertheless it is a complete response */
    t = start(&get);
    tally_head(&t, 500);
    tally_succeed(&t);
    ck_assert_uint_eq(stats.unknown, 1); /* only for orders can the outcome be unknown */
}
END_TEST

/* For an order; `left`: its client disconnected when this part of the response had arrived. */
static const struct {
    unsigned status;
    bool known_refusal, left;
    unsigned unknown, succeeded;
} answers[] = {
    {200, false, false, 0, 1}, {400, false, false, 0, 1}, {408, false, false, 1, 1},
    {408, true, false, 0, 1},  {429, false, false, 0, 1}, {500, false, false, 1, 0},
    {503, true, false, 0, 0},  {524, false, false, 1, 0}, {0, false, true, 1, 0},
    {200, false, true, 0, 0},  {408, false, true, 1, 0},  {503, false, true, 1, 0},
};

START_TEST(test_what_an_answer_leaves_open)
{
    const struct request *of[] = {&post, &get};
    for (size_t i = 0; i < COUNT_OF(of); i++) {
        unsigned unknown = i ? 0 : answers[_i].unknown;
        stats.unknown = stats.succeeded = 0;
        struct tally t = start(of[i]);
        t.record.timing.known_refusal = answers[_i].known_refusal;
        if (answers[_i].status)
            tally_head(&t, answers[_i].status);
        if (answers[_i].left)
            tally_leave(&t, SENT_YES);
        else
            tally_succeed(&t);
        ck_assert_uint_eq(stats.unknown, unknown);
        ck_assert_uint_eq(t.record.unknown, unknown);
        ck_assert_uint_eq(stats.succeeded, answers[_i].succeeded);
    }
}
END_TEST

/* Aborted after the head: its status is counted, and trunkline's error as well. */
START_TEST(test_aborted)
{
    struct verdict v = verdict_make(FAILURE_HTTP_RESPONSE_INCOMPLETE, SENT_YES, "x");
    struct tally t = start(&get);
    tally_head(&t, 200);
    tally_fail(&t, &v, true);
    ck_assert_uint_eq(t.record.status, 200);
    ck_assert_int_eq(t.record.error, FAILURE_HTTP_RESPONSE_INCOMPLETE);
    ck_assert_uint_eq(stats.status[1], 1);
    ck_assert_uint_eq(stats.status[4], 0);
    ck_assert_uint_eq(stats.failed, 1);
    ck_assert_uint_eq(stats.total.count, 0);
}
END_TEST

static const struct {
    const struct request *request;
    enum sent sent;
    unsigned unknown;
} fates[] = {
    {&get, SENT_NO, 0},  {&get, SENT_PARTIAL, 0},  {&get, SENT_YES, 0},
    {&post, SENT_NO, 0}, {&post, SENT_PARTIAL, 1}, {&post, SENT_YES, 1},
};

START_TEST(test_fates)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_TERMINATED, fates[_i].sent, "x");
    struct tally t = start(fates[_i].request);
    tally_fail(&t, &v, false);
    ck_assert_uint_eq(stats.unknown, fates[_i].unknown);
    ck_assert_int_eq(t.record.sent, fates[_i].sent);
    t = start(fates[_i].request);
    tally_leave(&t, fates[_i].sent);
    ck_assert_uint_eq(stats.unknown, 2 * fates[_i].unknown);
    ck_assert_uint_eq(stats.abandoned, fates[_i].sent == SENT_NO);
    ck_assert_uint_eq(totals.abandoned, fates[_i].sent == SENT_NO);
    ck_assert_uint_eq(stats.failed, 1U + (fates[_i].sent != SENT_NO));
}
END_TEST

/* A bot's requests are also counted under its name, with the weight they used. */
START_TEST(test_bot)
{
    struct field name = {SPAN("trunkline-client"), SPAN("grid1")};
    struct request named = {.method = SPAN("GET"), .fields = {.at = &name, .count = 1}};
    struct tally t = start(&named);
    ck_assert_str_eq(t.record.bot, "grid1");
    t.record.timing.weight = 7;
    tally_head(&t, 200);
    tally_succeed(&t);
    t = start(&named);
    t.record.timing.weight = 5;
    tally_head(&t, 500);
    tally_succeed(&t);
    t = start(&get);
    ck_assert_ptr_null(t.record.bot);
    tally_leave(&t, SENT_YES);
    const struct bot *b = bots_find(&totals.bots, SPAN("grid1"));
    ck_assert_uint_eq(totals.bots.count, 1);
    ck_assert_uint_eq(b->requests, 2);
    ck_assert_uint_eq(b->failed, 1);
    ck_assert_uint_eq(b->weight, 12);
    named.method = SPAN("CONNECT"); /* not a request */
    t = start(&named);
    tally_switch(&t, 200);
    ck_assert_uint_eq(b->requests, 2);
}
END_TEST

/* An opened tunnel is not a request; an upgrade is one. */
START_TEST(test_switch)
{
    static const struct request connect = {.method = {"CONNECT", 7}};
    struct tally t = start(&connect);
    tally_switch(&t, 200);
    ck_assert_uint_eq(stats.ended[0] + stats.ended[2] + stats.recent.open.ended, 0);
    t = start(&get);
    tally_switch(&t, 101);
    ck_assert_uint_eq(stats.ended[1], 1);
    ck_assert_uint_eq(stats.recent.open.ended, 1);
    ck_assert_uint_eq(totals.under_way.requests.count, 0);
}
END_TEST

/* Failures are recorded with their text, both trunkline's own and the origin's. */
START_TEST(test_recent_errors)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_REFUSED, SENT_NO, "nobody listens");
    struct tally t = start(&get);
    tally_fail(&t, &v, false);
    t = start(&get);
    tally_head(&t, 503);
    tally_succeed(&t);
    t = start(&get);
    tally_head(&t, 404);
    tally_succeed(&t);
    ck_assert_uint_eq(totals.recent_errors.count, 2);
    ck_assert_uint_eq(totals.recent_errors.at[0].status, 503);
    ck_assert_str_eq(totals.recent_errors.at[1].words, "nobody listens");
    ck_assert_str_eq(totals.recent_errors.at[1].upstream, "a");
    ck_assert_uint_eq(totals.recent_errors.at[1].status, 502);
    ck_assert_uint_eq(stats.recent.open.ended, 3);
    ck_assert_uint_eq(stats.recent.open.failed, 2);
    ck_assert_uint_eq(stats.recent.open.answered, 2);
}
END_TEST

/* Each request ends in exactly one class of `ended`, whatever its status. */
START_TEST(test_ended)
{
    static const unsigned statuses[] = {101, 200, 304, 404, 500, 999},
                          classes[] = {1, 2, 3, 4, 5, 5};
    struct tally t = start(&get);
    tally_leave(&t, SENT_NO);
    ck_assert_uint_eq(stats.ended[0], 1);
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        t = start(&get);
        uint64_t before = stats.ended[classes[i]];
        tally_head(&t, statuses[i]);
        ck_assert_uint_eq(stats.ended[classes[i]], before);
        tally_succeed(&t);
        ck_assert_uint_eq(stats.ended[classes[i]], before + 1);
    }
    ck_assert_uint_eq(stats.ended[0], 1);
}
END_TEST

/* A request that never had an upstream counts only in the totals. */
START_TEST(test_no_upstream)
{
    struct verdict v = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "x");
    struct tally t;
    v.status = 414;
    tally_begin(&t, loop, &totals, &post, "unix");
    tally_fail(&t, &v, false);
    ck_assert_uint_eq(t.record.status, 414);
    ck_assert_uint_eq(totals.failed, 1);
    ck_assert_ptr_null(t.record.upstream);
    tally_begin(&t, loop, &totals, &post, "unix");
    tally_leave(&t, SENT_NO);
    ck_assert_uint_eq(totals.abandoned, 1);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(test_success);
    TEST(test_once);
    TEST(test_server_error);
    LOOP(test_what_an_answer_leaves_open, 0, COUNT_OF(answers));
    TEST(test_aborted);
    LOOP(test_fates, 0, COUNT_OF(fates));
    TEST(test_bot);
    TEST(test_switch);
    TEST(test_recent_errors);
    TEST(test_ended);
    TEST(test_no_upstream);
}
