/* Where a client goes if it follows a rewritten Location. */
#include "proxy/location.h"
#include "proxy_fixture.h"
#include "suite.h"

static struct arena *arena;
static struct config *config;
static struct ingress ingress;

static void setup(void)
{
    arena = arena_new();
    config = fixture_config(arena);
    ingress = fixture_ingress();
}

static void teardown(void)
{
    arena_free(arena);
}

struct row {
    const char *target, *host, *location, *expected; /* expected NULL: unchanged */
    bool is_private;
};

static void all(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct route r;
        const struct row *row = &rows[i];
        const char *expected = row->expected ? row->expected : row->location;
        route_request(config, &ingress, fixture_request(arena, "GET", row->target, row->host), &r);
        ck_assert_int_eq(r.kind, ROUTE_UPSTREAM);
        struct span got =
            location_rewrite(arena, config, &r, row->is_private, span_of(row->location));
        ck_assert_msg(span_is(got, span_of(expected)), "%s at %s: got '%.*s', expected '%s'",
                      row->location, row->target, SPAN_ARG(got), expected);
    }
}

#define ALL(rows) all(rows, COUNT_OF(rows))

START_TEST(absolute_http)
{
    static const struct row rows[] = {
        {"http://exchange.test/a", "x", "https://exchange.test/b?c#d", "http://exchange.test/b?c#d",
         false},
        {"http://exchange.test/a", "x", "https://EXCHANGE.test.:443", "http://exchange.test/",
         true},
        {"http://exchange.test:8443/a", "x", "https://exchange.test:8443/b",
         "http://exchange.test:8443/b", false},
        {"http://exchange.test/a", "x", "https://exchange.test:8443/b", NULL, false},
        {"http://exchange.test/a", "x", "https://other.test/b", NULL, false},
        {"http://exchange.test/a", "x", "http://exchange.test/b", NULL, false},
        {"http://exchange.test/a", "x", "//exchange.test/b", NULL, false},
        {"http://exchange.test/a", "x", "/b", NULL, false},
        {"http://exchange.test/a", "x", "../b", NULL, false},
        {"http://plain.test/a", "x", "http://plain.test:80/b", NULL, false},
        {"http://plain.test/a", "x", "https://plain.test/b", NULL, false},
        {"https://exchange.test/a", "x", "https://exchange.test/b", NULL, false},
        {"https://exchange.test/a", "x", "//other.test/b", NULL, false},
    };
    ALL(rows);
}
END_TEST

START_TEST(prefix_forms)
{
    static const struct row rows[] = {
        {"/https://exchange.test/a/c", "x", "https://exchange.test/b?x=%2C",
         "/https://exchange.test/b?x=%2C", false},
        {"/https://exchange.test/a/c", "x", "https://exchange.test:443/b",
         "/https://exchange.test/b", true},
        {"/https://exchange.test/a/c", "x", "https://exchange.test?x", "/https://exchange.test/?x",
         false},
        {"/https://exchange.test/a/c", "x", "/b", "/https://exchange.test/b", false},
        {"/https://exchange.test/a/c", "x", "//exchange.test/b", "/https://exchange.test/b", false},
        {"/https://exchange.test/a/c", "x", "../b?x=%2C", "/https://exchange.test/b?x=%2C", false},
        {"/https://exchange.test/a/c", "x", "../../../b", "/https://exchange.test/b", false},
        {"/https://exchange.test/a/c", "x", "/%2e%2E/../b", "/https://exchange.test/b", false},
        {"/https://exchange.test/a/c", "x", "d/./e/..", "/https://exchange.test/a/d/", false},
        {"/https://exchange.test/a/c", "x", "...", "/https://exchange.test/a/...", false},
        {"/https://exchange.test/a/c?q", "x", "?z#f", "/https://exchange.test/a/c?z#f", false},
        {"/https://exchange.test/a/c?q", "x", "#f", NULL, false},
        {"/https://exchange.test/a/c", "x", "", NULL, false},
        {"/https:/exchange.test/a/c", "x", "/b", "/https:/exchange.test/b", false},
        {"/https/exchange.test/a/c", "x", "../b", "/https/exchange.test/b", false},
        {"/https://exchange.test:8443/a", "x", "/b", "/https://exchange.test:8443/b", false},
        {"/wss://exchange.test/a", "x", "https://exchange.test/b", "/https://exchange.test/b",
         false},
        {"/https%3A%2F%2Fexchange.test%2Fa%2Fc", "x", "d", "/https://exchange.test/a/d", false},
        {"/?url=https://exchange.test/a/c", "x", "d", "/https://exchange.test/a/d", false},
        {"/https://exchange.test/a", "x", "https://other.test/z?q=1", "/https://other.test/z?q=1",
         false},
        {"/https://exchange.test/a", "x", "https://other.test/z?q=1", NULL, true},
        {"/https://exchange.test/a", "x", "//other.test/z", "https://other.test/z", true},
        {"/https://exchange.test/a", "x", "http://exchange.test/b", NULL, false},
        {"/https://exchange.test/a", "x", "http://plain.test/b", "/http://plain.test/b", false},
        {"/https://exchange.test/a", "x", "https://u@exchange.test/b", NULL, false},
        {"/https://exchange.test/a", "x", "mailto:a@b", NULL, false},
        {"/http://plain.test/a", "x", "/b", "/http://plain.test/b", false},
        {"/http:/plain.test/a", "x", "http://plain.test/b", "/http:/plain.test/b", false},
        {"/http://plain.test/a", "x", "https://plain.test/b", "/https://plain.test/b", false},
        {"/http://exchange.test/a", "x", "/b", "/https://exchange.test/b", false},
        {"/https://[::1]:8443/a", "x", "/b", "/https://[::1]:8443/b", false},
    };
    ALL(rows);
}
END_TEST

START_TEST(named_path)
{
    static const struct row rows[] = {
        {"/ex/a/c", "x", "https://exchange.test/b?x=%2C", "/ex/b?x=%2C", true},
        {"/ex/a/c", "x", "https://exchange.test:8443/b", "/https://exchange.test:8443/b", false},
        {"/ex/a/c", "x", "https://exchange.test:8443/b", NULL, true},
        {"/ex/a/c", "x", "https://other.test", "/https://other.test/", false},
        {"/ex/a/c", "x", "//other.test/b", "https://other.test/b", true},
        {"/ex/a/c", "x", "//exchange.test//b", "/ex//b", false},
        {"/ex/a/c", "x", "/b", "/ex/b", false},
        {"/ex/a/c", "x", "/../b", "/ex/b", false},
        {"/ex/a/c", "x", "https://exchange.test/../../b", "/ex/b", false},
        {"/ex/a/c", "x", "../../b", "/ex/b", false},
        {"/ex", "x", "b", "/ex/b", false},
        {"/plain/a", "x", "http://plain.test/b", "/plain/b", false},
        {"/plain/a", "x", "//plain.test/b", "/plain/b", false},
        {"/plain/a", "x", "https://plain.test/b", "/https://plain.test/b", false},
        {"/ex/a", "x", "http://odd.test:8080/b", "/http://odd.test:8080/b", false},
    };
    ALL(rows);
}
END_TEST

START_TEST(named_host_and_own_port)
{
    static const struct row rows[] = {
        {"/a", "ex.localhost", "https://exchange.test/b?c", "/b?c", true},
        {"/a", "ex.localhost", "https://exchange.test", "/", false},
        {"/a", "ex.localhost", "//exchange.test/b", "/b", false},
        {"/a", "ex.localhost", "https://exchange.test//evil.test/", "/.//evil.test/", false},
        {"/a", "ex.localhost", "https://other.test/b", NULL, false},
        {"/a", "ex.localhost", "//other.test/b", "https://other.test/b", false},
        {"/a", "ex.localhost", "/b", NULL, false},
        {"/a", "ex.localhost", "../b", NULL, false},
        {"/a", "plain.localhost", "http://plain.test/b", "/b", false},
        {"/a", "plain.localhost", "https://plain.test/b", NULL, false},
    };
    ALL(rows);
    ingress.upstream = "ex";
    static const struct row own[] = {
        {"/a", "x", "https://exchange.test/b#c", "/b#c", true},
        {"/a", "x", "https://exchange.test:8443/b", NULL, false},
        {"http://exchange.test/a", "x", "https://exchange.test/b", "http://exchange.test/b", false},
    };
    ALL(own);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(absolute_http);
    TEST(prefix_forms);
    TEST(named_path);
    TEST(named_host_and_own_port);
}
