/* Many random requests to an unreliable origin, while the upstream and a bot are frozen and unfrozen
 * at random moments. An order that was refused as frozen, or that came in a freeze, never arrives;
 * every other request ends as without freezes. */
#include <stdio.h>

#include "storm_fixture.h"
#include "suite.h"

#define ROUNDS 6000
#define MOST (ROUNDS + 1)

enum mark { FREE, STOPPED }; /* by a freeze: it must not arrive */

static unsigned char marks[MOST];
static unsigned number, refused, arrived;
static bool all_frozen, bot_frozen;

static unsigned number_in(const char *text)
{
    const char *at = strstr(text, "X-N: ");
    unsigned n = MOST;
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(sscanf(at, "X-N: %u", &n), 1);
    ck_assert_uint_lt(n, MOST);
    return n;
}

static void on_request(const char *request)
{
    arrived++;
    ck_assert_msg(marks[number_in(request)] == FREE, "an order left: %s", request);
}

static void see(const struct test_client *a)
{
    const struct field *n = fields_find(&a->request.fields, SPAN("X-N"));
    if (!heard_part(a, "frozen"))
        return;
    ck_assert(a->request.is_order && !span_is(a->request.method, SPAN("DELETE")));
    if (heard_part(
            a, "Trunkline-Sent=no")) /* else it had been answered 421, and would have gone again */
        marks[(unsigned)atoi(arena_span(a->arena, n->value).at)] = STOPPED;
    refused++;
}

static void start(struct storm_client *c)
{
    static const char *const methods[] = {"GET", "POST", "POST", "PUT", "DELETE"};
    const char *method = DRAW_OF(methods);
    bool named = one_in(3), places = method[0] == 'P', is_late = places && one_in(8);
    char fields[100];
    unsigned n = number++;
    snprintf(fields, sizeof fields, "X-N: %u\r\n%s%s", n, named ? "Trunkline-Client: grid\r\n" : "",
             one_in(3) ? "API-Key: k\r\n" : "");
    if (places && !is_late && (all_frozen || (named && bot_frozen)))
        marks[n] = STOPPED;
    use(c);
    if (is_late) {
        snprintf(
            fields + strlen(fields), sizeof fields - strlen(fields),
            "Transfer-Encoding: chunked\r\n"); /* whole later, if ever; until then it may be a copy */
        ask(&c->its, method, fields);
    } else {
        ask_whole(&c->its, method, fields);
    }
    c->its.recorder.cancel_in = sometimes();
}

static void go_on(struct storm_client *c)
{
    struct test_client *a = &c->its;
    switch (draw(5)) {
    case 0:
        if (draw(2))
            recorder_cancel(&a->recorder);
        else
            depart(a);
        break;
    case 1: pause_client(c); break;
    case 2:
        if (!a->finished)
            conclude(a);
        break;
    default: resume_client(c);
    }
}

static void change_origin(void)
{
    static const char *const answers[] = {
        OK,
        OK,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 421 No\r\nContent-Length: 2\r\n\r\nhi",
        "",
    };
    origin.manner = one_in(3) ? (enum origin_manner)(ORIGIN_WAITS + draw(4)) : ORIGIN_ANSWERS;
    origin.answer = DRAW_OF(answers);
}

static void change_freezes(void)
{
    struct freezes *f = proxy_freezes(proxy);
    bool of_bot = draw(2), *frozen = of_bot ? &bot_frozen : &all_frozen;
    const char *upstream = draw(2) ? "a" : NULL, *bot = of_bot ? "grid" : NULL;
    if (*frozen)
        ck_assert(freezes_lift(f, NULL, bot));
    else
        ck_assert(freezes_begin(f, upstream, bot, "a test"));
    *frozen = !*frozen;
}

static void change_pool(void)
{
    pools_command(pools, draw(2) ? POOL_PAUSE : POOL_RESUME);
}

static void one_round(void)
{
    struct storm_client *c = &clients[draw(CLIENTS)];
    if (one_in(12))
        change_origin();
    if (one_in(20))
        change_freezes();
    if (one_in(30))
        change_pool();
    if (!c->used)
        start(c);
    else if (is_active(c) && one_in(4))
        go_on(c);
    if (one_in(60))
        plain_origin_close(&origin, draw(ORIGIN_LINES), draw(2));
    if (one_in(12))
        loop_skip(loop, draw(900));
    loop_turn(loop, false);
    reap(see);
}

static void run(const char *directives, int seed)
{
    begin(directives);
    origin.on_request = on_request;
    clients_init();
    memset(marks, FREE, sizeof marks);
    number = refused = arrived = 0;
    all_frozen = bot_frozen = false;
    storm_seed(seed);
    loop_seed(loop, draw(1000000));
    storm(ROUNDS, one_round, NULL);
    pools_command(pools, POOL_RESUME);
    cancel_all(false);
    reap(see);
    let_end(100, 500);
    ck_assert_uint_eq(proxy_active(proxy), 0);
    ck_assert_uint_gt(refused, ROUNDS / 30);
    ck_assert_uint_gt(arrived, ROUNDS / 20);
    finish();
}

START_TEST(test_storm)
{
    static const char *const settings[] = {
        "max_connections = 3\nbreaker_failures = 1000\nresponse_timeout = 3s",
        "max_connections = 4\nserialize_by = API-Key\nbreaker_failures = 1000\nresponse_timeout = "
        "3s",
        "max_connections = 4\nrate = \"20/1s\"\nburst = 2\nbreaker_failures = 1000\n"
        "response_timeout = 3s",
        "max_connections = 2\ndedupe = 10s\nbreaker_failures = 1000\nresponse_timeout = 3s",
    };
    run(settings[_i % (int)COUNT_OF(settings)], _i);
}
END_TEST

SUITE()
{
    STORM(test_storm, 8);
}
