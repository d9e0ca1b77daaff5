/* GET /connections: what it shows of a connection in each of its states. */
#include "pages/connections.h"

#include <jansson.h>

#include "suite.h"
#include "transaction_fixture.h"

static struct test_client a, b;

/* Makes the page in one go, and checks that it is valid JSON. To be freed by json_decref(). */
static json_t *page(void)
{
    struct page_source *source = connections_page_new(pools);
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

/* How many connections have this value under that key. */
static size_t count(const char *key, json_t *value)
{
    json_t *document = page(), *c;
    size_t i, n = 0;
    json_array_foreach (json_object_get(document, "connections"), i, c) {
        json_t *found = json_object_get(c, key);
        ck_assert_msg(found != NULL, "no %s", key);
        n += json_equal(found, value);
    }
    json_decref(document);
    json_decref(value);
    return n;
}

static size_t in_state(const char *state)
{
    return count("state", json_string(state));
}

START_TEST(no_connection)
{
    begin("");
    json_t *document = page();
    ck_assert_uint_eq(json_array_size(json_object_get(document, "connections")), 0);
    json_decref(document);
    finish();
}
END_TEST

START_TEST(connecting_then_active_then_idle)
{
    begin("");
    ask_whole(&a, "GET", "");
    ck_assert_uint_eq(in_state("connecting"), 1);
    ck_assert_uint_eq(count("protocol", json_null()), 1);
    UNTIL(origin.requests == 1);
    ck_assert_uint_eq(in_state("active"), 1);
    ck_assert_uint_eq(count("active", json_integer(1)), 1);
    ck_assert_uint_eq(count("protocol", json_string("http/1.1")), 1);
    ck_assert_uint_eq(count("upstream", json_string("a")), 1);
    ck_assert_uint_eq(count("address", json_null()), 0);
    plain_origin_say(&origin, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    UNTIL(a.recorder.ended);
    UNTIL(in_state("idle") == 1);
    ck_assert_uint_eq(count("active", json_integer(0)), 1);
    ck_assert_uint_eq(count("requests", json_integer(1)), 1);
    clear(&a);
    finish();
}
END_TEST

START_TEST(each_connection_once)
{
    begin("");
    ask_whole(&a, "GET", "");
    ask_whole(&b, "GET", "");
    UNTIL(origin.requests == 2);
    ck_assert_uint_eq(in_state("active"), 2);
    ck_assert_uint_eq(count("requests", json_integer(1)), 2);
    recorder_cancel(&a.recorder);
    recorder_cancel(&b.recorder);
    clear(&a);
    clear(&b);
    finish();
}
END_TEST

SUITE()
{
    TEST(no_connection);
    TEST(connecting_then_active_then_idle);
    TEST(each_connection_once);
}
