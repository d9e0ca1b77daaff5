/* Many random requests that are coalesced or answered from the store, with an unreliable origin and
 * clients that disconnect, pause and run out of time. Each request ends exactly once, each complete
 * response is one that the origin sent, and identical requests are sent to the origin one at a
 * time. */
#include <stdio.h>

#include "storm_fixture.h"
#include "suite.h"

#define ROUNDS 5000

static unsigned whole, serial;
static unsigned said; /* responses of a reliable origin */

/* Responses with a unique number in place of the marks, so that no response can be confused with
 * another. */
static const char *const answers[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n<########>",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n<########>\r\n0\r\nT: v\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n<######################################>",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "28\r\n<######################################>\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 10\r\n\r\n<########>",
    "HTTP/1.1 200 OK\r\nVary: User-Agent\r\nContent-Length: 10\r\n\r\n<########>",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nno: ######",
    "HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\n<########>",
    "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 10\r\n\r\n<########>",
    "HTTP/1.1 304 Not Modified\r\nX: #\r\n\r\n",
    "garbage #\r\n",
};

/* Responses that arrive in pieces; each ends with its last piece. */
static const char *const in_pieces[][4] = {
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<####\r\n", "1\r\n#\r\n",
     "5\r\n####>\r\n0\r\n\r\n"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<####\r\n",
     "20\r\n################################\r\n", "20\r\n################################\r\n",
     "5\r\n####>\r\n0\r\n\r\n"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n<####", "####>"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nVary: User-Agent\r\n\r\n<####", "####>"},
};
static struct {
    const struct stream *on;
    const char *const *next; /* NULL: no response is in progress on that line */
    size_t left;
} parts[ORIGIN_LINES];

static const char *const fields[] = {
    "",
    "",
    "",
    "User-Agent: a\r\n",
    "User-Agent: b\r\n",
    "Trunkline-Timeout: 500ms\r\n",
    "Trunkline-Timeout: 2s\r\n",
    "Cache-Control: max-age=0\r\n",
    "Cache-Control: no-cache\r\n",
    "Cache-Control: stale-if-error=0\r\n",
    "Cache-Control: only-if-cached\r\n",
    "If-None-Match: \"x\"\r\n",
    "Authorization: k\r\n",
};

/* Replaces the marks by the next number. */
static const char *numbered(char to[static 200], const char *answer)
{
    char digits[50];
    size_t n = 0;
    snprintf(digits, sizeof digits, "%048u", ++serial);
    snprintf(to, 200, "%s", answer);
    for (size_t i = strlen(to); i-- > 0;)
        if (to[i] == '#')
            to[i] = digits[47 - n++];
    return to;
}

static void change_origin(void)
{
    static char answer[200];
    origin.manner = draw(2) ? ORIGIN_WAITS : (enum origin_manner)(ORIGIN_WAITS + draw(4));
    origin.answer = numbered(answer, DRAW_OF(answers));
}

static void stir_origin(void)
{
    unsigned line = draw(origin.accepted + 1) % ORIGIN_LINES;
    const struct stream *on = origin.lines[line].stream;
    char answer[200];
    if (on == NULL)
        return;
    if (one_in(8)) {
        plain_origin_close(&origin, line, draw(2));
        return;
    }
    if (parts[line].on != on || parts[line].left == 0) {
        if (draw(2)) {
            plain_origin_say(&origin, line, numbered(answer, DRAW_OF(answers)));
            return;
        }
        parts[line].on = on;
        parts[line].next = DRAW_OF(in_pieces);
        for (parts[line].left = 4; parts[line].next[parts[line].left - 1] == NULL;)
            parts[line].left--;
    }
    parts[line].left--;
    plain_origin_say(&origin, line, numbered(answer, *parts[line].next++));
}

/* An origin that sent something before it got a request may have mixed up two responses. */
static void check_whole(const struct test_client *a)
{
    const char *body = strstr(a->heard.at, "body(");
    if (body == NULL || body[5] != '<' || strstr(body, "HTTP/") || strstr(body, "garba"))
        return;
    ck_assert_msg(strchr(body, ')')[-1] == '>', "not whole: %s", a->heard.at);
    whole++;
}

static void start(struct storm_client *c)
{
    static const char *const methods[] = {"GET", "GET", "GET", "GET", "GET", "HEAD", "DELETE"};
    const char *method = DRAW_OF(methods);
    use(c);
    ask_whole(&c->its, method, DRAW_OF(fields));
    c->its.recorder.cancel_in = sometimes();
    c->its.recorder.pause_in = sometimes();
    c->paused = c->its.recorder.pause_in;
}

static void go_on(struct storm_client *c)
{
    switch (draw(4)) {
    case 0: recorder_cancel(&c->its.recorder); break;
    case 1: pause_client(c); break;
    default: resume_client(c);
    }
}

static void check_numbers(void)
{
    const struct totals *t = proxy_totals(proxy);
    const struct upstream_stats *s = look().stats;
    unsigned active = count_active();
    ck_assert_uint_eq(proxy_active(proxy), active);
    ck_assert_uint_eq(pools_requests(pools), active);
    ck_assert_uint_eq(records, begun - active);
    ck_assert_uint_eq(t->succeeded + t->failed + t->abandoned, records);
    ck_assert_uint_le(proxy_stored(proxy).bytes, config->cache_size);
    ck_assert_uint_le(s->cache_hits + s->cache_misses + s->cache_stale + s->cache_collapsed,
                      records);
}

static void one_round(void)
{
    struct storm_client *c = &clients[draw(CLIENTS)];
    if (one_in(8))
        change_origin();
    if (!c->used)
        start(c);
    else if (is_active(c) && one_in(3))
        go_on(c);
    if (one_in(3))
        stir_origin();
    if (one_in(6))
        loop_skip(loop, draw(300));
    loop_turn(loop, false);
    reap(check_whole);
}

START_TEST(test_storm)
{
    begin("max_connections = 6 retries = 1 coalesce = yes fresh = 200ms stale_if_error = 2s\n"
          "cache_max_object = 20 error_prefix = {'no: '} breaker_failures = 3\n"
          "total_timeout = 4s response_timeout = 3s body_timeout = 4s queue_timeout = 3s");
    clients_init();
    whole = serial = 0;
    storm_seed(_i);
    loop_seed(loop, draw(1000000));
    change_origin();
    storm(ROUNDS, one_round, check_numbers);
    cancel_all(true); /* given time, everything else ends */
    origin.manner = ORIGIN_WAITS;
    let_end(20, 1000);
    reap(check_whole);
    check_numbers();
    ck_assert_uint_eq(answered + failed + left, begun);
    ck_assert_uint_gt(whole, ROUNDS / 30);
    ck_assert_uint_gt(failed, 0);
    ck_assert_uint_gt(left, ROUNDS / 100);
    ck_assert_uint_gt(look().stats->cache_collapsed, ROUNDS / 50);
    ck_assert_uint_gt(look().stats->cache_hits, 0);
    ck_assert_uint_gt(look().stats->cache_stale, 0);
    finish();
}
END_TEST

/* Clients connect and disconnect, except for the last one. */
static void one_of_a_good_origin(void)
{
    struct storm_client *c = &clients[draw(CLIENTS)];
    if (!c->used) {
        ask_whole(&c->its, "GET", "");
        use(c);
    } else if (is_active(c) && count_active() > 1 && draw(2)) {
        recorder_cancel(&c->its.recorder);
    }
    if (one_in(4) && origin.requests > said)
        plain_origin_say(&origin, 0, answers[said++ % 2]);
    loop_turn(loop, false);
    reap(NULL);
}

static void check_one_at_a_time(void)
{
    ck_assert_uint_le(look().active, 1);
    ck_assert_uint_le(origin.requests, said + 1);
}

/* With a reliable origin, one request serves all clients, no matter in which order they connect and
 * disconnect; only the last client has to stay. */
START_TEST(test_one_at_a_time)
{
    begin("max_connections = 6 coalesce = yes");
    clients_init();
    said = 0;
    storm_seed(_i);
    loop_seed(loop, draw(1000000));
    origin.manner = ORIGIN_WAITS;
    storm(ROUNDS, one_of_a_good_origin, check_one_at_a_time);
    cancel_all(false);
    reap(NULL);
    ck_assert_uint_eq(failed, 0);
    ck_assert_uint_gt(answered, 2 * origin.requests);
    finish();
}
END_TEST

SUITE()
{
    TIMEOUT(120);
    STORM(test_storm, 4);
    STORM(test_one_at_a_time, 1);
}
