/* The order for a fetch that is made from a request. */
#include "proxy/fetch_order.h"

#include "config_fixture.h"
#include "proxy/api_key.h"
#include "suite.h"

static struct arena *arena;
static struct config *config;
static struct route route;
static struct request request;
static struct rewrite rewrite;
static struct record record;
static const struct ingress ingress = {.is_loopback = true, .port = 8642, .client = "unix"};

static void begin(void)
{
    arena = arena_new();
    config = parse_good("max_header_size = 9k\n"
                        "upstream ex {\nurl = \"https://exchange.test\"\n"
                        "serialize_by = \"API-Key\"\n}\n");
    route = (struct route){.kind = ROUTE_UPSTREAM,
                           .form = FORM_NAMED_PATH,
                           .listed = find(config, "ex"),
                           .path = SPAN("/order?x=1")};
    request = (struct request){.arena = arena,
                               .method = SPAN("POST"),
                               .target = SPAN("/ex/order?x=1"),
                               .framing = FRAMING_LENGTH,
                               .length = 5,
                               .minor = 1,
                               .is_order = true,
                               .expects_continue = true};
    rewrite = (struct rewrite){config, route.listed, &ingress, &request, &route, false};
    record = (struct record){.bot = "grid1", .bot_said = SPAN("grid1")};
}

static void finish(void)
{
    config_unref(config);
    arena_free(arena);
    forget();
}

static struct fetch_order order(void)
{
    return fetch_order_of(&rewrite, NULL, NULL, NULL, &record, 700);
}

START_TEST(asks_for_the_target_at_the_upstream)
{
    fields_add(&request.fields, arena, SPAN("X"), SPAN("1"));
    struct fetch_order o = order();
    ck_assert(span_is(o.request.method, SPAN("POST")));
    ck_assert(span_is(o.request.target, SPAN("/order?x=1")));
    ck_assert(fields_find(&o.request.fields, SPAN("X")));
    ck_assert(o.request.framing == FRAMING_LENGTH && o.request.length == 5);
    ck_assert_uint_eq(o.request.header_limit, 9 * 1024);
    ck_assert(o.is_order && !o.is_safe && o.invites && !o.yields);
    ck_assert(o.settings == route.listed && o.timing == &record.timing);
    ck_assert_str_eq(o.bot, "grid1");
    ck_assert(span_is(o.bot_said, SPAN("grid1")));
    ck_assert_uint_eq(o.total_ms, 700);
}
END_TEST

/* Only a private request has a credential. */
START_TEST(knows_whose_request_it_is)
{
    fields_add(&request.fields, arena, SPAN("API-Key"), SPAN("k1"));
    ck_assert_uint_eq(order().credential, 0);
    rewrite.is_private = true;
    struct fetch_order o = order();
    ck_assert(o.is_private);
    ck_assert_uint_eq(o.credential, request_api_key(route.listed, &request.fields, route.path));
}
END_TEST

START_TEST(serializes_by_the_header)
{
    ck_assert_uint_eq(order().serialize_value.len, 0);
    fields_add(&request.fields, arena, SPAN("api-key"), SPAN("k1"));
    ck_assert(span_is(order().serialize_value, SPAN("k1")));
    struct upstream_config other = *route.listed;
    other.serialize_by = NULL;
    rewrite.settings = &other;
    ck_assert_uint_eq(order().serialize_value.len, 0);
}
END_TEST

/* What it asks a pool for: an order has a line to itself, and looks at it once more before it goes, as
 * a request with a credential does. */
START_TEST(waits_as_what_it_is)
{
    static const struct {
        bool is_order, is_private, looks, rides_alone;
    } rows[] = {{true, false, true, true},
                {true, true, true, true},
                {false, true, true, false},
                {false, false, false, false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct pool_waiter w = {0};
        struct gate_waiter g = {0};
        struct fetch_order o = order();
        o.is_order = rows[i].is_order;
        o.is_private = rows[i].is_private;
        o.credential = 7;
        fetch_order_waits(&o, &w);
        ck_assert(w.is_order == rows[i].looks && w.rides_alone == rows[i].rides_alone);
        fetch_order_is_gated(&o, &g);
        ck_assert(g.is_order == rows[i].is_order && g.is_private == rows[i].is_private);
        ck_assert(g.credential == 7 && g.places == o.places && g.bot == o.bot);
    }
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(asks_for_the_target_at_the_upstream);
    TEST(knows_whose_request_it_is);
    TEST(serializes_by_the_header);
    TEST(waits_as_what_it_is);
}
