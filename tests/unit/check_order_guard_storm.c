/* Many random orders and copies of them to an unreliable origin, with clients that disconnect and pause:
 * within its time no order reaches the origin twice (contract 12, `dedupe`). */
#include "storm_fixture.h"
#include "suite.h"

#define WITHIN 10000

#define ORDERS 6

static uint64_t sent_at[ORDERS]; /* when an order that reached the origin had been sent, at the
                                    earliest; 0: none did */
static uint64_t before_skip;
static unsigned arrivals, turns;

/* The rule: within its time no order reaches the origin twice. */
static void see_request(const char *request)
{
    const char *key = strstr(request, "API-Key: k");
    if (key == NULL)
        return;
    unsigned n = (unsigned)(key[10] - '0');
    ck_assert_uint_lt(n, ORDERS);
    if (sent_at[n])
        ck_assert_uint_ge(loop_now(loop) - sent_at[n], WITHIN);
    sent_at[n] = turns < 3 ? before_skip : loop_now(loop);
    arrivals++;
}

static const char *const answers[] = {
    OK,
    "HTTP/1.1 502 No\r\nContent-Length: 2\r\n\r\nno",
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: v\r\n\r\n",
    "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh",
    "HTTP/1.1 200 OK\r\n\r\nto the end",
    "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\nbegin",
    "garbage\r\n",
    "",
};

static void change_origin(void)
{
    origin.manner = one_in(2) ? (enum origin_manner)(ORIGIN_WAITS + draw(4)) : ORIGIN_ANSWERS;
    origin.answer = answers[draw(2) ? 0 : draw(COUNT_OF(answers))];
}

static void start(struct storm_client *s)
{
    char key[60];
    use(s);
    if (one_in(5)) {
        ask_whole(&s->its, "GET", "");
    } else {
        snprintf(key, sizeof key, "API-Key: k%u\r\n%s", draw(ORDERS),
                 one_in(6) ? "Trunkline-Timeout: 700ms\r\n" : "");
        ask_whole(&s->its, "POST", key);
    }
    s->its.recorder.cancel_in = sometimes();
}

static void go_on(struct storm_client *s)
{
    static const struct verdict why = {.error = FAILURE_DESTINATION_UNAVAILABLE};
    switch (draw(6)) {
    case 0: recorder_cancel(&s->its.recorder); break;
    case 1: (void)depart(&s->its); break;
    case 2: pause_client(s); break;
    case 3: exchange_refuse(s->its.recorder.exchange, &why); break;
    default: resume_client(s);
    }
}

static void one_round(void)
{
    struct storm_client *s = &clients[draw(CLIENTS)];
    if (one_in(12))
        change_origin();
    if (!s->used)
        start(s);
    else if (is_active(s) && one_in(5))
        go_on(s);
    if (one_in(40))
        plain_origin_close(&origin, draw(ORIGIN_LINES), draw(2));
    if (one_in(30))
        plain_origin_say(&origin, draw(ORIGIN_LINES), OK);
    if (one_in(12)) {
        before_skip = loop_now(loop);
        loop_skip(loop, draw(one_in(5) ? WITHIN : 500));
        turns = 0; /* what was sent before may arrive yet */
    }
    turns++;
    loop_turn(loop, false);
    reap(NULL);
}

static void check_numbers(void)
{
    const struct totals *t = proxy_totals(proxy);
    const struct upstream_stats *s = look().stats;
    ck_assert_uint_ge(proxy_active(proxy), count_active());
    ck_assert_uint_eq(records, begun - proxy_active(proxy));
    ck_assert_uint_eq(t->succeeded + t->failed + t->abandoned, records);
    ck_assert_uint_le(s->unknown, arrivals);
}

START_TEST(test_storm)
{
    begin("dedupe = 10s\nmax_connections = 3\nmax_requests = 20\nqueue_timeout = 3s\n"
          "body_timeout = 4s\nresponse_timeout = 3s\nbreaker_failures = 3");
    memset(sent_at, 0, sizeof sent_at);
    arrivals = 0;
    origin.on_request = see_request;
    clients_init();
    storm_seed(_i);
    loop_seed(loop, draw(1000000));
    storm(6000, one_round, check_numbers);
    cancel_all(false);
    reap(NULL);
    let_end(100, 500);
    ck_assert_uint_eq(proxy_active(proxy), 0);
    ck_assert_uint_gt(arrivals, 50);
    ck_assert_uint_gt(look().stats->duplicates, 200);
    finish();
}
END_TEST

SUITE()
{
    STORM(test_storm, 6);
}
