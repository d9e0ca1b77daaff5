/* Many random requests to an unreliable origin, with clients that disconnect and pause. Whatever
 * happens, each request ends exactly once, and all counters agree. */
#include "storm_fixture.h"
#include "suite.h"

#define ROUNDS 6000

static unsigned departed; /* clients whose request continued after they disconnected */

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
    origin.manner = one_in(3) ? (enum origin_manner)(ORIGIN_WAITS + draw(4)) : ORIGIN_ANSWERS;
    origin.answer = answers[draw(2) ? 0 : draw(COUNT_OF(answers))];
}

static void start(struct storm_client *c)
{
    static const char *const methods[] = {"GET", "GET", "HEAD", "POST", "DELETE"};
    const char *method = DRAW_OF(methods);
    use(c);
    if (one_in(8))
        ask(&c->its, "POST", "Transfer-Encoding: chunked\r\n"); /* never quite complete */
    else
        ask_whole(&c->its, method, one_in(4) ? "Authorization: k\r\n" : "");
    c->its.recorder.cancel_in = sometimes();
}

static void go_on(struct storm_client *c)
{
    static const struct verdict why = {.error = FAILURE_HTTP_REQUEST_ERROR, .status = 400};
    struct test_client *a = &c->its;
    switch (draw(7)) {
    case 0:
        if (draw(2))
            recorder_cancel(&a->recorder);
        else
            departed += depart(a);
        break;
    case 1: pause_client(c); break;
    case 2:
        if (!a->finished)
            (void)!exchange_body(a->recorder.exchange, "more", 4);
        break;
    case 3:
        if (!a->finished)
            conclude(a);
        break;
    case 4: exchange_refuse(a->recorder.exchange, &why); break;
    default: resume_client(c);
    }
}

static void check_numbers(void)
{
    const struct totals *t = proxy_totals(proxy);
    const struct upstream_stats *s = look().stats;
    unsigned active = count_active();
    ck_assert_uint_ge(proxy_active(proxy), active); /* some have no client any more */
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

static void one_round(void)
{
    struct storm_client *c = &clients[draw(CLIENTS)];
    if (one_in(12))
        change_origin();
    if (!c->used)
        start(c);
    else if (is_active(c) && one_in(4))
        go_on(c);
    if (one_in(50))
        plain_origin_close(&origin, draw(ORIGIN_LINES), draw(2));
    if (one_in(12))
        loop_skip(loop, draw(900));
    loop_turn(loop, false);
    reap(NULL);
}

START_TEST(test_storm)
{
    begin("max_connections = 4\nmin_idle = 1\nretries = 2\nmax_requests = 20\n"
          "queue_timeout = 3s\nbody_timeout = 4s\nresponse_timeout = 3s\nbreaker_failures = 3");
    clients_init();
    departed = 0;
    storm_seed(_i);
    loop_seed(loop, draw(1000000));
    storm(ROUNDS, one_round, check_numbers);
    cancel_all(false);
    reap(NULL);
    let_end(100, 500);
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
    STORM(test_storm, 6);
}
