/* Many requests at random over a bad origin, with clients that leave and pause:
 * whatever happens, each has one end, and all numbers agree. */
#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#define CLIENTS 30
#define ROUNDS 6000

static struct test_client clients[CLIENTS];
static bool used[CLIENTS], paused[CLIENTS];
static unsigned departed, begun, answered, failed, left;

static const char *const answers[] = {
    OK,
    "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: v\r\n\r\n",
    "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh",
    "HTTP/1.1 200 OK\r\n\r\nto the end",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhixx",
    "HTTP/1.1 421 No\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 421 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nh",
    "HTTP/1.1 204 No\r\n\r\n",
    "garbage\r\n",
    "",
};

static void change_origin(void)
{
    origin.manner =
        random() % 3 ? ORIGIN_ANSWERS : (enum origin_manner)(ORIGIN_WAITS + random() % 4);
    origin.answer = answers[random() % 2 ? 0 : (size_t)random() % COUNT_OF(answers)];
}

static void reap(size_t i)
{
    struct test_client *a = &clients[i];
    if (!used[i] || a->recorder.exchange)
        return;
    ck_assert_uint_le(a->recorder.ended + a->recorder.failed, 1);
    answered += a->recorder.ended;
    failed += a->recorder.failed;
    left += !a->recorder.ended && !a->recorder.failed;
    clear(a);
    used[i] = paused[i] = false;
}

static void start(size_t i)
{
    static const char *const methods[] = {"GET", "GET", "HEAD", "POST", "DELETE"};
    const char *method = methods[(size_t)random() % COUNT_OF(methods)];
    used[i] = true;
    begun++;
    if (random() % 8 == 0)
        ask(&clients[i], "POST", "Transfer-Encoding: chunked\r\n"); /* never quite whole */
    else
        ask_whole(&clients[i], method, random() % 4 ? "" : "Authorization: k\r\n");
    clients[i].recorder.cancel_in =
        random() % 10 ? RECORDER_NONE : (enum recorder_event)(random() % 5);
}

static void go_on(size_t i)
{
    static const struct verdict why = {.error = FAILURE_HTTP_REQUEST_ERROR, .status = 400};
    struct test_client *a = &clients[i];
    switch (random() % 7) {
    case 0:
        if (random() % 2)
            recorder_cancel(&a->recorder);
        else
            departed += depart(a);
        break;
    case 1:
        exchange_pause(a->recorder.exchange);
        paused[i] = true;
        break;
    case 2:
        if (!a->finished)
            (void)!exchange_body(a->recorder.exchange, "more", 4);
        break;
    case 3:
        if (!a->finished)
            conclude(a);
        break;
    case 4: exchange_refuse(a->recorder.exchange, &why); break;
    default:
        if (paused[i])
            exchange_resume(a->recorder.exchange);
        paused[i] = false;
    }
}

static void check_numbers(void)
{
    const struct totals *t = proxy_totals(proxy);
    const struct upstream_stats *s = look().stats;
    unsigned active = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        active += used[i] && clients[i].recorder.exchange;
    ck_assert_uint_ge(proxy_active(proxy), active); /* those that are followed, too */
    ck_assert_uint_le(proxy_active(proxy), active + departed);
    ck_assert_uint_eq(pools_requests(pools), proxy_active(proxy));
    ck_assert_uint_eq(records, begun - proxy_active(proxy));
    ck_assert_uint_eq(t->succeeded + t->failed + t->abandoned, records);
    ck_assert_uint_eq(s->succeeded, t->succeeded);
    ck_assert_uint_eq(s->failed, t->failed);
    ck_assert_uint_eq(s->abandoned, t->abandoned);
    struct pool_view v = look();
    uint64_t closed = 0;
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        closed += s->closed[i];
    ck_assert_uint_eq(s->opened, v.idle + v.active + closed);
    ck_assert_uint_le(v.idle + v.active + v.connecting, 4);
    ck_assert_uint_le(v.active, proxy_active(proxy));
}

START_TEST(test_storm)
{
    begin("max_connections = 4\nmin_idle = 1\nretries = 2\nmax_requests = 20\n"
          "queue_timeout = 3s\nbody_timeout = 4s\nresponse_timeout = 3s\nbreaker_failures = 3");
    begun = answered = failed = left = departed = 0;
    srandom(11 + (unsigned)_i);
    for (int round = 0; round < ROUNDS; round++) {
        size_t i = (size_t)random() % CLIENTS;
        if (random() % 12 == 0)
            change_origin();
        if (!used[i])
            start(i);
        else if (clients[i].recorder.exchange && random() % 4 == 0)
            go_on(i);
        if (random() % 50 == 0)
            plain_origin_close(&origin, (unsigned)random() % ORIGIN_LINES, random() % 2);
        if (random() % 12 == 0)
            loop_skip(loop, (uint64_t)random() % 900);
        loop_turn(loop, false);
        for (size_t n = 0; n < CLIENTS; n++)
            reap(n);
        check_numbers();
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        if (used[i] && clients[i].recorder.exchange)
            recorder_cancel(&clients[i].recorder);
        reap(i);
    }
    for (int i = 0; i < 100; i++) {
        loop_skip(loop, 500);
        loop_turn(loop, false);
    }
    ck_assert_uint_eq(proxy_active(proxy), 0);
    check_numbers();
    ck_assert_uint_gt(departed, 0);
    ck_assert_uint_gt(answered, ROUNDS / 30);
    ck_assert_uint_gt(failed, 0);
    ck_assert_uint_gt(left, ROUNDS / 100);
    ck_assert_uint_gt(look().stats->reused, 0);
    finish();
}
END_TEST

SUITE()
{
    LOOP(test_storm, 0, 6);
}
