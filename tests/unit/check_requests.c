/* GET /requests: every state in which a request can be seen, the value of each key, redacted
 * secrets, and requests that end while the page is being made. */
#include "pages/requests.h"

#include <jansson.h>
#include <stdio.h>

#include "config_fixture.h"
#include "suite.h"
#include "transaction_fixture.h"

#define MANY 300

static struct test_client a, b;

/* Makes the page in one go, and checks that it is valid JSON. */
static json_t *page(void)
{
    struct page_source *source = requests_page_new(proxy_under_way(proxy));
    struct text t = {0};
    while (source->next(source, &t))
        continue;
    source->free(source);
    json_error_t e;
    json_t *document = json_loadb(t.at, t.len, JSON_REJECT_DUPLICATES, &e);
    ck_assert_msg(document != NULL, "%s in %s", e.text, t.at);
    text_free(&t);
    return document;
}

static size_t count(void)
{
    json_t *document = page();
    size_t n = json_array_size(json_object_get(document, "requests"));
    json_decref(document);
    return n;
}

/* Returns what the page has under that key of the request at `i`; "null" if there is nothing. */
static const char *told(size_t i, const char *key)
{
    static char value[400];
    json_t *document = page();
    json_t *row = json_array_get(json_object_get(document, "requests"), i);
    json_t *found = json_object_get(row, key);
    ck_assert_msg(found != NULL, "%zu has no %s", i, key);
    char *dump = json_dumps(found, JSON_ENCODE_ANY);
    snprintf(value, sizeof value, "%s", dump);
    free(dump);
    json_decref(document);
    return value;
}

static bool is(size_t i, const char *key, const char *expected)
{
    return strcmp(told(i, key), expected) == 0;
}

static void give_up(struct test_client *x)
{
    recorder_cancel(&x->recorder);
    clear(x);
}

/* What it has counted covers the time since it began, and no more. */
START_TEST(the_last_minutes_begin_with_it)
{
    struct recent_sum sum;
    begin("");
    recent_sum(&proxy_totals(proxy)->unrouted, loop_clock_us(loop), &sum);
    ck_assert_uint_eq(sum.covered_us, 0);
    loop_skip(loop, 7000);
    recent_sum(&proxy_totals(proxy)->unrouted, loop_clock_us(loop), &sum);
    ck_assert_uint_eq(sum.covered_us, 7000000);
    finish();
}
END_TEST

START_TEST(nothing_is_under_way)
{
    begin("");
    ck_assert_uint_eq(count(), 0);
    finish();
}
END_TEST

START_TEST(awaiting_then_receiving)
{
    begin("");
    ask_whole(&a, "GET", "Trunkline-Client: grid1\r\n");
    UNTIL(origin.requests == 1);
    ck_assert(is(0, "state", "\"awaiting\"") && is(0, "sent", "\"yes\""));
    ck_assert(is(0, "bot", "\"grid1\"") && is(0, "upstream", "\"a\"") && is(0, "left", "false"));
    ck_assert(is(0, "method", "\"GET\"") && is(0, "client", "\"127.0.0.1:9\""));
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
    UNTIL(is(0, "state", "\"receiving\""));
    plain_origin_say(&origin, 0, "i");
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(count(), 0);
    clear(&a);
    finish();
}
END_TEST

START_TEST(reading_while_a_body_is_gathered)
{
    begin("");
    ask(&a, "POST", "Content-Length: 5\r\n");
    ck_assert(exchange_body(a.recorder.exchange, "he", 2));
    loop_turn(loop, false);
    ck_assert(is(0, "state", "\"reading\"") && is(0, "sent", "\"no\""));
    ck_assert(is(0, "line", "null") && is(0, "address", "null") && is(0, "bot", "null"));
    give_up(&a);
    ck_assert_uint_eq(count(), 0);
    finish();
}
END_TEST

START_TEST(connecting_then_queued)
{
    begin("max_connections = 1");
    ask_whole(&a, "GET", "");
    ask_whole(&b, "GET", "");
    ck_assert(is(0, "state", "\"connecting\"") && is(0, "sent", "\"no\""));
    UNTIL(origin.requests == 1);
    ck_assert(is(0, "state", "\"awaiting\"") && is(1, "state", "\"queued\""));
    give_up(&b);
    give_up(&a);
    finish();
}
END_TEST

START_TEST(gated_by_rate_and_by_serialize_by)
{
    begin(_i ? "serialize_by = \"X-Nonce\"" : "rate = \"1/1h\"\nburst = 1");
    ask_whole(&a, "GET", "X-Nonce: k\r\n");
    UNTIL(origin.requests == 1);
    ask_whole(&b, "GET", "X-Nonce: k\r\n");
    ck_assert(is(0, "state", "\"awaiting\"") && is(1, "state", "\"gated\""));
    ck_assert(is(1, "sent", "\"no\""));
    give_up(&b);
    give_up(&a);
    finish();
}
END_TEST

/* The request's body is larger than the kernel's buffers and the origin does not read, so the
 * request stays in the state of being sent. */
START_TEST(sending)
{
    static char piece[100000];
    char length[60];
    begin("");
    snprintf(length, sizeof length, "Content-Length: %d\r\n", 1000 * (int)sizeof piece);
    ask(&a, "POST", length);
    memset(piece, 'x', sizeof piece);
    (void)exchange_body(a.recorder.exchange, piece, sizeof piece);
    UNTIL(is(0, "state", "\"sending\""));
    ck_assert(is(0, "sent", "\"partial\""));
    give_up(&a);
    finish();
}
END_TEST

START_TEST(one_whose_client_has_left)
{
    begin("");
    ask_whole(&a, "POST", "");
    UNTIL(origin.requests == 1);
    ck_assert(depart(&a));
    ck_assert(is(0, "left", "true") && is(0, "state", "\"awaiting\""));
    plain_origin_say(&origin, 0, OK);
    UNTIL(records == 1);
    ck_assert_uint_eq(count(), 0);
    clear(&a);
    finish();
}
END_TEST

START_TEST(followers_show_the_request_that_they_share)
{
    begin("coalesce = yes");
    ask_whole(&a, "GET", "");
    ask_whole(&b, "GET", "");
    UNTIL(origin.requests == 1);
    ck_assert(is(0, "state", "\"awaiting\"") && is(1, "state", "\"awaiting\""));
    ck_assert(is(1, "sent", "\"yes\""));
    plain_origin_say(&origin, 0, OK);
    UNTIL(a.recorder.ended && b.recorder.ended);
    clear(&a);
    clear(&b);
    finish();
}
END_TEST

START_TEST(ids_and_redacted_targets)
{
    struct request_ids ids;
    begin("");
    request_ids_init(&ids, 0, 0);
    prepare(&a, "GET", "");
    request_ids_next(&ids, &a.request.id);
    struct route route = {.kind = ROUTE_UPSTREAM,
                          .form = FORM_ABSOLUTE_HTTP,
                          .listed = find(config, "a"),
                          .origin = {.host = SPAN("a.example"), .port = 80},
                          .path = SPAN("/x?y=\xe9\"&signature=GEHEIM")};
    recorder_init(&a.recorder, &a.heard);
    a.recorder.exchange =
        proxy_open(proxy, &a.request, &ingress, &route, &recorder_events, &a.recorder);
    conclude(&a);
    ck_assert(is(0, "id", "\"000000000000-1\""));
    ck_assert_ptr_nonnull(strstr(told(0, "target"), "signature=***"));
    ck_assert_ptr_null(strstr(told(0, "target"), "GEHEIM"));
    give_up(&a);
    finish();
}
END_TEST

/* Some requests end between two pieces of the page, including those that would be shown next. */
START_TEST(they_end_while_it_is_made)
{
    static struct test_client many[MANY];
    struct text t = {0};
    begin("max_connections = 1\nqueue_limit = 1000");
    for (size_t i = 0; i < MANY; i++)
        ask_whole(&many[i], "GET", "");
    struct page_source *source = requests_page_new(proxy_under_way(proxy));
    for (size_t i = 0; source->next(source, &t); i++)
        if (i % 2 && i < MANY)
            recorder_cancel(&many[MANY - 1 - i / 2].recorder);
        else if (i + 1 < MANY && many[i + 1].recorder.exchange && i % 3 == 0)
            recorder_cancel(&many[i + 1].recorder);
    source->free(source);
    json_t *document = json_loadb(t.at, t.len, 0, NULL);
    size_t n = json_array_size(json_object_get(document, "requests"));
    ck_assert_msg(n > MANY / 4 && n < MANY, "%zu", n);
    json_decref(document);
    text_free(&t);
    for (size_t i = 0; i < MANY; i++) {
        if (many[i].recorder.exchange)
            recorder_cancel(&many[i].recorder);
        clear(&many[i]);
    }
    finish();
}
END_TEST

SUITE()
{
    TEST(the_last_minutes_begin_with_it);
    TEST(nothing_is_under_way);
    TEST(awaiting_then_receiving);
    TEST(reading_while_a_body_is_gathered);
    TEST(connecting_then_queued);
    LOOP(gated_by_rate_and_by_serialize_by, 0, 2);
    TEST(sending);
    TEST(one_whose_client_has_left);
    TEST(followers_show_the_request_that_they_share);
    TEST(ids_and_redacted_targets);
    TEST(they_end_while_it_is_made);
}
