/* Many requests at random that are coalesced or answered from the store, over a bad origin,
 * with clients that leave, pause and run out of time: each ends once, a whole response is
 * one that the origin sent, and identical requests go to the origin one at a time. */
#include <stdio.h>

#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#define CLIENTS 24
#define ROUNDS 5000

static struct test_client clients[CLIENTS];
static bool used[CLIENTS], paused[CLIENTS];
static unsigned begun, ended, failed, left, whole, serial;

/* Responses with a number in place of the marks, so that none is mistaken for another. */
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

/* Responses that come in pieces; each ends with its last piece. */
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
    const char *const *next; /* NULL: none is under way there */
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

/* Writes the next number in place of the marks. */
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

static const char *draw(void)
{
    return answers[(size_t)random() % COUNT_OF(answers)];
}

static void change_origin(void)
{
    static char answer[200];
    origin.manner = random() % 2 ? ORIGIN_WAITS : (enum origin_manner)(ORIGIN_WAITS + random() % 4);
    origin.answer = numbered(answer, draw());
}

static void stir_origin(void)
{
    unsigned line = (unsigned)random() % (origin.accepted + 1) % ORIGIN_LINES;
    const struct stream *on = origin.lines[line].stream;
    char answer[200];
    if (on == NULL)
        return;
    if (random() % 8 == 0) {
        plain_origin_close(&origin, line, random() % 2);
        return;
    }
    if (parts[line].on != on || parts[line].left == 0) {
        if (random() % 2) {
            plain_origin_say(&origin, line, numbered(answer, draw()));
            return;
        }
        parts[line].on = on;
        parts[line].next = in_pieces[(size_t)random() % COUNT_OF(in_pieces)];
        for (parts[line].left = 4; parts[line].next[parts[line].left - 1] == NULL;)
            parts[line].left--;
    }
    parts[line].left--;
    plain_origin_say(&origin, line, numbered(answer, *parts[line].next++));
}

/* An origin that spoke before it was asked may have mixed two responses up. */
static void check_whole(const struct test_client *a)
{
    const char *body = strstr(a->heard.at, "body(");
    if (body == NULL || body[5] != '<' || strstr(body, "HTTP/") || strstr(body, "garba"))
        return;
    ck_assert_msg(strchr(body, ')')[-1] == '>', "not whole: %s", a->heard.at);
    whole++;
}

static void reap(size_t i)
{
    struct test_client *a = &clients[i];
    if (!used[i] || a->recorder.exchange)
        return;
    ck_assert_uint_le(a->recorder.ended + a->recorder.failed, 1);
    ended += a->recorder.ended;
    failed += a->recorder.failed;
    left += !a->recorder.ended && !a->recorder.failed;
    if (a->recorder.ended)
        check_whole(a);
    clear(a);
    used[i] = paused[i] = false;
}

static void start(size_t i)
{
    static const char *const methods[] = {"GET", "GET", "GET", "GET", "GET", "HEAD", "DELETE"};
    const char *method = methods[(size_t)random() % COUNT_OF(methods)];
    used[i] = true;
    begun++;
    ask_whole(&clients[i], method, fields[(size_t)random() % COUNT_OF(fields)]);
    clients[i].recorder.cancel_in =
        random() % 10 ? RECORDER_NONE : (enum recorder_event)(random() % 5);
    clients[i].recorder.pause_in =
        random() % 10 ? RECORDER_NONE : (enum recorder_event)(random() % 5);
    paused[i] = clients[i].recorder.pause_in;
}

static void go_on(size_t i)
{
    struct exchange *x = clients[i].recorder.exchange;
    switch (random() % 4) {
    case 0: recorder_cancel(&clients[i].recorder); break;
    case 1:
        exchange_pause(x);
        paused[i] = true;
        break;
    default:
        clients[i].recorder.pause_in = RECORDER_NONE;
        if (paused[i])
            exchange_resume(x);
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
    ck_assert_uint_eq(proxy_active(proxy), active);
    ck_assert_uint_eq(pools_requests(pools), active);
    ck_assert_uint_eq(records, begun - active);
    ck_assert_uint_eq(t->succeeded + t->failed + t->abandoned, records);
    ck_assert_uint_le(proxy_stored(proxy).bytes, config->cache_size);
    ck_assert_uint_le(s->cache_hits + s->cache_misses + s->cache_stale + s->cache_collapsed,
                      records);
}

START_TEST(storm)
{
    begin("max_connections = 6 retries = 1 coalesce = yes fresh = 200ms stale_if_error = 2s\n"
          "cache_max_object = 20 error_prefix = {'no: '} breaker_failures = 3\n"
          "total_timeout = 4s response_timeout = 3s body_timeout = 4s queue_timeout = 3s");
    begun = ended = failed = left = whole = serial = 0;
    srandom(23 + (unsigned)_i);
    change_origin();
    for (int round = 0; round < ROUNDS; round++) {
        size_t i = (size_t)random() % CLIENTS;
        if (random() % 8 == 0)
            change_origin();
        if (!used[i])
            start(i);
        else if (clients[i].recorder.exchange && random() % 3 == 0)
            go_on(i);
        if (random() % 3 == 0)
            stir_origin();
        if (random() % 6 == 0)
            loop_skip(loop, (uint64_t)random() % 300);
        loop_turn(loop, false);
        for (size_t n = 0; n < CLIENTS; n++)
            reap(n);
        check_numbers();
    }
    /* In time everything ends, except for clients that do not read. */
    for (size_t i = 0; i < CLIENTS; i++)
        if (used[i] && clients[i].recorder.exchange && paused[i])
            recorder_cancel(&clients[i].recorder);
    origin.manner = ORIGIN_WAITS;
    for (int i = 0; i < 20; i++) {
        loop_skip(loop, 1000);
        loop_turn(loop, false);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        reap(i);
    check_numbers();
    ck_assert_uint_eq(ended + failed + left, begun);
    ck_assert_uint_gt(whole, ROUNDS / 30);
    ck_assert_uint_gt(failed, 0);
    ck_assert_uint_gt(left, ROUNDS / 100);
    ck_assert_uint_gt(look().stats->cache_collapsed, ROUNDS / 50);
    ck_assert_uint_gt(look().stats->cache_hits, 0);
    ck_assert_uint_gt(look().stats->cache_stale, 0);
    finish();
}
END_TEST

/* With a good origin, one request is under way for all of them, however they come and
 * leave; only the last one must stay. */
START_TEST(one_at_a_time)
{
    begin("max_connections = 6 coalesce = yes");
    begun = ended = failed = left = 0;
    srandom(31);
    origin.manner = ORIGIN_WAITS;
    unsigned answered = 0, present;
    for (int round = 0; round < ROUNDS; round++) {
        size_t i = (size_t)random() % CLIENTS;
        present = 0;
        for (size_t n = 0; n < CLIENTS; n++)
            present += used[n] && clients[n].recorder.exchange;
        if (!used[i]) {
            ask_whole(&clients[i], "GET", "");
            used[i] = true;
            begun++;
        } else if (clients[i].recorder.exchange && present > 1 && random() % 2) {
            recorder_cancel(&clients[i].recorder);
        }
        if (random() % 4 == 0 && origin.requests > answered) {
            plain_origin_say(&origin, 0, answers[random() % 2]);
            answered++;
        }
        loop_turn(loop, false);
        for (size_t n = 0; n < CLIENTS; n++)
            reap(n);
        ck_assert_uint_le(look().active, 1);
        ck_assert_uint_le(origin.requests, answered + 1);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        if (used[i] && clients[i].recorder.exchange)
            recorder_cancel(&clients[i].recorder);
    for (size_t i = 0; i < CLIENTS; i++)
        reap(i);
    ck_assert_uint_eq(failed, 0);
    ck_assert_uint_gt(ended, 2 * origin.requests);
    finish();
}
END_TEST

SUITE()
{
    TIMEOUT(120);
    LOOP(storm, 0, 4);
    TEST(one_at_a_time);
}
