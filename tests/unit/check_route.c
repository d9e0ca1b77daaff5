/* Which upstream a request is routed to, by each form of request, and which form takes
 * precedence. */
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

static struct route route(const char *method, const char *target, const char *host)
{
    struct route r;
    route_request(config, &ingress, fixture_request(arena, method, target, host), &r);
    return r;
}

/* "page /stats", "404", or "form upstream origin path". */
static const char *told(const struct route *r)
{
    static const char *const forms[] = {"http", "https", "prefix", "named",
                                        "host", "own",   "connect"};
    if (r->kind == ROUTE_REFUSED) {
        ck_assert_int_eq(r->why.error, verdict_status(&r->why) == 403 ? FAILURE_HTTP_REQUEST_DENIED
                                                                      : FAILURE_HTTP_REQUEST_ERROR);
        ck_assert(r->why.detail[0]);
        return arena_printf(arena, "%d", verdict_status(&r->why));
    }
    if (r->kind == ROUTE_PAGE)
        return arena_printf(arena, "page %.*s", SPAN_ARG(r->path));
    struct span at = origin_authority(arena, &r->origin, true);
    return arena_printf(arena, "%s %s %s%.*s %.*s", forms[r->form],
                        r->listed ? r->listed->name : "-",
                        r->origin.secure ? "tls:" : "plain:", SPAN_ARG(at), SPAN_ARG(r->path));
}

static int refusal(const char *method, const char *target, const char *host)
{
    struct route r = route(method, target, host);
    ck_assert_int_eq(r.kind, ROUTE_REFUSED);
    return verdict_status(&r.why);
}

struct row {
    const char *target, *host, *expected;
};

static void all(const char *method, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct route r = route(method, rows[i].target, rows[i].host);
        const char *got = told(&r);
        ck_assert_msg(strcmp(got, rows[i].expected) == 0, "%s at %s: got '%s', expected '%s'",
                      rows[i].target, rows[i].host ? rows[i].host : "(no Host)", got,
                      rows[i].expected);
    }
}

#define ALL(method, rows) all(method, rows, COUNT_OF(rows))
#define SELF "127.0.0.1:8642"

START_TEST(pages_and_names)
{
    static const struct row rows[] = {
        {"/", SELF, "page /"},
        {"/?a=1", SELF, "page /?a=1"},
        {"/stats", "localhost:8642", "page /stats"},
        {"/stats?x", SELF, "page /stats?x"},
        {"/metrics", "trunkline:8642", "page /metrics"},
        {"/healthz", NULL, "page /healthz"},
        {"/requests", NULL, "page /requests"},
        {"/upstreams/ex/pause", SELF, "page /upstreams/ex/pause"},
        {"/stats/", SELF, "404"},
        {"/ex", SELF, "named ex tls:exchange.test:443 /"},
        {"/ex?x=1", SELF, "named ex tls:exchange.test:443 /?x=1"},
        {"/ex/", SELF, "named ex tls:exchange.test:443 /"},
        {"/ex/stats", SELF, "named ex tls:exchange.test:443 /stats"},
        {"/ex//a/../b%2C?c", SELF, "named ex tls:exchange.test:443 //a/../b%2C?c"},
        {"/plain/a", SELF, "named plain plain:plain.test:80 /a"},
        {"/EX/a", SELF, "404"},
        {"/ws/a", SELF, "named ws tls:clash.test:443 /a"},
        {"/wss://h.test/a", SELF, "prefix - tls:h.test:443 /a"},
        {"/wss/h.test/a", SELF, "404"},
        {"//a", SELF, "404"},
        {"/a b", SELF, "400"},
        {"/ex/a#b", SELF, "400"},
    };
    ALL("GET", rows);
}
END_TEST

START_TEST(forms_with_an_origin)
{
    static const struct row rows[] = {
        {"http://exchange.test/a", "x", "http ex tls:exchange.test:443 /a"},
        {"http://exchange.test:80/a", "x", "http ex tls:exchange.test:443 /a"},
        {"http://exchange.test:443/a", "x", "http ex tls:exchange.test:443 /a"},
        {"http://Exchange.TEST:8443/a", "x", "http alt tls:exchange.test:8443 /a"},
        {"http://exchange.test:9/a", "x", "http - tls:exchange.test:9 /a"},
        {"https://exchange.test/a", "clash.test", "https ex tls:exchange.test:443 /a"},
        {"http://plain.test/a", "x", "http plain plain:plain.test:80 /a"},
        {"http://plain.test:80/a", "x", "http plain plain:plain.test:80 /a"},
        {"https://plain.test/a", "x", "https - tls:plain.test:443 /a"},
        {"http://odd.test:8080/a", "x", "http odd plain:odd.test:8080 /a"},
        {"https://odd.test:8080/a", "x", "https - tls:odd.test:8080 /a"},
        {"http://odd.test/a", "x", "http - tls:odd.test:443 /a"},
        {"http://u@exchange.test/a", "x", "400"},
        {"ftp://exchange.test/a", "x", "400"},
        {"http://exchange.test/a", "u@x", "400"},
        {"/https://exchange.test/a", SELF, "prefix ex tls:exchange.test:443 /a"},
        {"/http://plain.test/a", SELF, "prefix plain plain:plain.test:80 /a"},
        {"/https://exchange.test:8443?a", SELF, "prefix alt tls:exchange.test:8443 /?a"},
        {"/https%3A%2F%2Fexchange.test%2Fa", SELF, "prefix ex tls:exchange.test:443 /a"},
        {"/?url=https%3A%2F%2Fexchange.test%2Fa", SELF, "prefix ex tls:exchange.test:443 /a"},
        {"/?url=nothing", SELF, "400"},
        {"/https://other.test/a", SELF, "prefix - tls:other.test:443 /a"},
        {"/https%3A%2F%2Fexchange.test%2Fa%0d", SELF, "400"},
        {"*", SELF, "400"},
    };
    ALL("GET", rows);
    struct route r = route("GET", "/https:/exchange.test/a", SELF);
    ck_assert(span_is(r.spelling, SPAN("/https:/")));
}
END_TEST

START_TEST(hosts_name_upstreams)
{
    static const struct row rows[] = {
        {"/stats", "ex.localhost", "host ex tls:exchange.test:443 /stats"},
        {"/", "EX.localhost.:1234", "host ex tls:exchange.test:443 /"},
        {"/?url=https://o.test/", "ex.localhost:8642",
         "host ex tls:exchange.test:443 /?url=https://o.test/"},
        {"/ex/a", "alt.localhost", "host alt tls:exchange.test:8443 /ex/a"},
        {"/a", "nosuch.localhost", "404"},
        {"/stats", "nosuch.localhost", "page /stats"},
        {"/a", "exchange.test", "host ex tls:exchange.test:443 /a"},
        {"/a", "exchange.test:80", "host ex tls:exchange.test:443 /a"},
        {"/a", "exchange.test:443", "host ex tls:exchange.test:443 /a"},
        {"/a", "exchange.test:8642", "host ex tls:exchange.test:443 /a"},
        {"/a", "exchange.test:8443", "host alt tls:exchange.test:8443 /a"},
        {"/a", "exchange.test:9999", "404"},
        {"/a", "plain.test", "host plain plain:plain.test:80 /a"},
        {"/a", "odd.test:8080", "host odd plain:odd.test:8080 /a"},
        {"/stats", "localhost", "page /stats"},
        {"/stats", "localhost:9000", "host local plain:localhost:9000 /stats"},
        {"/stats", "ex.test%00", "400"},
        {"/stats", "a@b", "400"},
    };
    ALL("GET", rows);
    static const struct row options[] = {
        {"*", "ex.localhost", "host ex tls:exchange.test:443 *"},
        {"*", SELF, "page *"},
    };
    ALL("OPTIONS", options);
}
END_TEST

/* An upstream with the same address as trunkline itself does not hide a page. */
START_TEST(own_names_stay_our_own)
{
    add_upstream(arena, config, "near", false, "127.0.0.1", 8642);
    add_upstream(arena, config, "web", false, "127.0.0.1", 80);
    static const struct row rows[] = {
        {"/stats", SELF, "page /stats"},
        {"/stats", "127.0.0.1", "page /stats"},
        {"/near/a", SELF, "named near plain:127.0.0.1:8642 /a"},
    };
    ALL("GET", rows);
    ingress.is_unix = true;
    ingress.port = 0;
    static const struct row on_unix[] = {
        {"/stats", "127.0.0.1", "page /stats"},
        {"/stats", "localhost", "page /stats"},
        {"/stats", "localhost:9000", "host local plain:localhost:9000 /stats"},
        {"/stats", "exchange.test", "host ex tls:exchange.test:443 /stats"},
    };
    ALL("GET", on_unix);
}
END_TEST

START_TEST(an_own_port_takes_every_path)
{
    static const struct row rows[] = {
        {"/stats", "x", "own ex tls:exchange.test:443 /stats"},
        {"/", "alt.localhost", "own ex tls:exchange.test:443 /"},
        {"/alt/a", "x", "own ex tls:exchange.test:443 /alt/a"},
        {"/https://u@other.test/", "x", "own ex tls:exchange.test:443 /https://u@other.test/"},
        {"/?url=x", "x", "own ex tls:exchange.test:443 /?url=x"},
        {"//a?b", NULL, "own ex tls:exchange.test:443 //a?b"},
        {"http://clash.test/a", "x", "http ws tls:clash.test:443 /a"},
        {"/a b", "x", "400"},
        {"/a", "u@x", "400"},
    };
    ingress.upstream = "ex";
    ALL("GET", rows);
    static const struct row options[] = {{"*", "x", "own ex tls:exchange.test:443 *"}};
    ALL("OPTIONS", options);
    ingress.upstream = "gone";
    struct route r = route("GET", "/a", "x");
    ck_assert_str_eq(told(&r), "404");
}
END_TEST

START_TEST(connect_names_an_authority)
{
    static const struct row rows[] = {
        {"exchange.test:443", "x", "connect ex tls:exchange.test:443 exchange.test:443"},
        {"Exchange.TEST.:443", NULL, "connect ex tls:exchange.test:443 Exchange.TEST.:443"},
        {"exchange.test:8443", "x", "connect alt tls:exchange.test:8443 exchange.test:8443"},
        {"odd.test:8080", "x", "connect odd plain:odd.test:8080 odd.test:8080"},
        {"other.test:443", "x", "connect - tls:other.test:443 other.test:443"},
        {"exchange.test:80", "x", "connect ex tls:exchange.test:80 exchange.test:80"},
        {"other.test:80", "x", "connect - tls:other.test:80 other.test:80"},
        {"[::1]:443", "x", "connect - tls:[::1]:443 [::1]:443"},
        {"other.test:22", "x", "403"},
        {"exchange.test", "x", "400"},
        {"user@exchange.test:443", "x", "400"},
        {"exchange.test:443", "@", "400"},
        {"/a", "ex.localhost", "400"},
    };
    ALL("CONNECT", rows);
    ck_assert(route("CONNECT", "other.test:80", NULL).answers_first);
    ck_assert(!route("CONNECT", "other.test:443", NULL).answers_first);
    config->connect_ports.count = 0; /* except for the upstreams' own ports */
    struct route own = route("CONNECT", "exchange.test:8443", "x");
    ck_assert_str_eq(told(&own), "connect alt tls:exchange.test:8443 exchange.test:8443");
    own = route("CONNECT", "odd.test:8080", "x");
    ck_assert_str_eq(told(&own), "connect odd plain:odd.test:8080 odd.test:8080");
    ck_assert_int_eq(refusal("CONNECT", "exchange.test:8080", "x"), 403);
    ck_assert_int_eq(refusal("CONNECT", "odd.test:8443", "x"), 403);
    ck_assert_int_eq(refusal("CONNECT", "other.test:443", "x"), 403);
    config->connect = CONNECT_DENY;
    ck_assert_int_eq(refusal("CONNECT", "exchange.test:443", "x"), 403);
    ck_assert_int_eq(refusal("CONNECT", "exchange.test:80", "x"), 403);
}
END_TEST

/* Addresses are told from names by their last digit, each of the ten. */
START_TEST(addresses_are_no_names)
{
    for (char digit = '0'; digit <= '9'; digit++) {
        char *name = arena_printf(arena, "at%c", digit);
        add_upstream(arena, config, name, true, arena_printf(arena, "192.0.2.1%c", digit), 443);
        struct route r = route("GET", arena_printf(arena, "/%s/a", name), SELF);
        ck_assert_int_eq(r.kind, ROUTE_UPSTREAM);
        ck_assert_msg(r.origin.is_ip, "%c", digit);
    }
    add_upstream(arena, config, "named", true, "h9", 443);
    struct route r = route("GET", "/named/a", SELF);
    ck_assert(r.kind == ROUTE_UPSTREAM && !r.origin.is_ip);
}
END_TEST

/* Requests inside a tunnel go to the tunnel's own authority, whatever they would mean outside. */
START_TEST(a_tunnel_leads_to_one_host)
{
    static const struct row rows[] = {
        {"/stats", "exchange.test", "connect ex tls:exchange.test:443 /stats"},
        {"/", "exchange.test:80", "connect ex tls:exchange.test:443 /"},
        {"/kr/a", "exchange.test:443", "connect ex tls:exchange.test:443 /kr/a"},
        {"/https://other.test/", NULL, "connect ex tls:exchange.test:443 /https://other.test/"},
        {"http://exchange.test/a?b", "exchange.test", "connect ex tls:exchange.test:443 /a?b"},
        {"https://exchange.test/a", "exchange.test", "connect ex tls:exchange.test:443 /a"},
        {"/a", "other.test", "403"},
        {"/a", "exchange.test:8443", "403"},
        {"/a", "ex.localhost", "403"},
        {"/a", "localhost:8642", "403"},
        {"http://other.test/a", "exchange.test", "403"},
        {"http://exchange.test:8443/a", "exchange.test", "403"},
        {"ftp://exchange.test/", "exchange.test", "400"},
        {"/a", "user@exchange.test", "400"},
    };
    ingress.tunnel = "exchange.test";
    ingress.tunnel_port = 80;
    ALL("GET", rows);
    ck_assert_int_eq(refusal("CONNECT", "exchange.test:443", NULL), 403);
    struct route r = route("OPTIONS", "*", "exchange.test");
    ck_assert_str_eq(told(&r), "connect ex tls:exchange.test:443 *");
    ingress.tunnel = "other.test";
    r = route("GET", "/a", "other.test");
    ck_assert_str_eq(told(&r), "connect - tls:other.test:443 /a");
    ingress.tunnel = "plain.test";
    r = route("GET", "/a", "plain.test");
    ck_assert_str_eq(told(&r), "connect plain plain:plain.test:80 /a");
    ingress.tunnel = "exchange.test";
    ingress.tunnel_port = 8443;
    r = route("GET", "/a", "exchange.test:8443");
    ck_assert_str_eq(told(&r), "connect alt tls:exchange.test:8443 /a");
    ck_assert_int_eq(refusal("GET", "/a", "exchange.test"), 403);
}
END_TEST

START_TEST(unknown_names_tell_the_known)
{
    struct route r = route("GET", "/nosuch/a?signature=s3cr3t", SELF);
    ck_assert_str_eq(r.why.detail, "no upstream 'nosuch'; known: ex, alt, plain, odd, ws, local");
    r = route("GET", "/a=s3cr3t&b/c", SELF);
    ck_assert_ptr_null(strstr(r.why.detail, "s3cr3t"));
    for (int i = 0; i < 40; i++)
        add_upstream(arena, config, arena_printf(arena, "another-name-%d", i), true,
                     arena_printf(arena, "h%d.test", i), 443);
    r = route("GET", "/nosuch", SELF);
    size_t len = strlen(r.why.detail);
    ck_assert_uint_lt(len, sizeof r.why.detail);
    ck_assert_str_eq(r.why.detail + len - 3, "...");
    struct config empty = {0};
    route_request(&empty, &ingress, fixture_request(arena, "GET", "/a", SELF), &r);
    ck_assert_str_eq(r.why.detail, "no upstream 'a'; known: none");
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(pages_and_names);
    TEST(forms_with_an_origin);
    TEST(hosts_name_upstreams);
    TEST(own_names_stay_our_own);
    TEST(an_own_port_takes_every_path);
    TEST(connect_names_an_authority);
    TEST(addresses_are_no_names);
    TEST(a_tunnel_leads_to_one_host);
    TEST(unknown_names_tell_the_known);
}
