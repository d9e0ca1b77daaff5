/* What the gate learns from the responses to one request, and when. */
#include "base/log.h"
#include "config_fixture.h"
#include "proxy/limit.h"
#include "suite.h"

static struct arena *arena;
static struct loop *loop;
static struct config *config;
static const struct upstream_config *settings;
static struct gate *gate;
static struct limit limit;

static void begin(void)
{
    arena = arena_new();
    loop = loop_new();
    loop_hold(loop);
    log_set_level(LOG_LEVEL_ERROR);
    config = parse_good("upstream ex {\nurl = \"https://exchange.test\"\n"
                        "hold_status = {418, 429}\nhold_default = 5s\nhold_max = 1h\n"
                        "weight_header = \"X-Used\"\n}\n");
    settings = find(config, "ex");
    gate = gate_new(loop, settings);
    struct gate_limit whose = {.is_private = true, .credential = 7, .bot = "grid1"};
    limit_init(&limit, loop, settings, SPAN("/order/bot123:secret?token=x"), &whose);
    limit.gate = gate;
}

static void finish(void)
{
    gate_free(gate);
    config_unref(config);
    loop_free(loop);
    arena_free(arena);
    forget();
}

/* A head with that status and, unless they are NULL, these two fields. */
static uint64_t learn(unsigned status, const char *retry_after, const char *used)
{
    struct response r = {.status = status};
    if (retry_after)
        fields_add(&r.fields, arena, SPAN("Retry-After"), span_of(retry_after));
    if (used)
        fields_add(&r.fields, arena, SPAN("x-used"), span_of(used));
    return limit_learn(&limit, &r);
}

static struct gate_view look(void)
{
    struct gate_view v;
    gate_describe(gate, &v);
    return v;
}

START_TEST(passes_the_weight_on_at_once)
{
    ck_assert_uint_eq(learn(200, NULL, "40"), 40);
    ck_assert_int_eq(look().weight_used, 40);
    ck_assert_uint_eq(learn(200, NULL, "45"), 5);
    ck_assert_int_eq(look().weight_used, 45);
    ck_assert_uint_eq(learn(200, NULL, NULL), 0);
    ck_assert_int_eq(look().weight_used, 45);
}
END_TEST

START_TEST(holds_once_it_is_told)
{
    learn(429, "30", NULL);
    ck_assert_uint_eq(look().hold_count, 0);
    limit_tell(&limit, 0);
    struct gate_view v = look();
    ck_assert_uint_eq(v.hold_count, 1);
    ck_assert_uint_eq(v.holds[0].status, 429);
    ck_assert_str_eq(v.holds[0].bot, "grid1");
    ck_assert_str_eq(v.holds[0].path, "/order/bot123:***");
    ck_assert_uint_eq(v.holds[0].left_ms, 30000);
    loop_skip(loop, 1000);
    limit_tell(&limit, 0); /* there is nothing more to report */
    ck_assert_uint_eq(look().holds[0].left_ms, 29000);
}
END_TEST

START_TEST(other_statuses_hold_nothing)
{
    learn(200, "30", NULL);
    learn(503, "30", NULL);
    limit_tell(&limit, 0);
    ck_assert_uint_eq(look().hold_count, 0);
}
END_TEST

/* A field that is missing, repeated or malformed is ignored: hold_default applies. */
START_TEST(reads_retry_after)
{
    static const struct {
        const char *value;
        uint64_t left_ms;
    } cases[] = {{NULL, 5000}, {"soon", 5000}, {"60", 60000}};
    struct response twice = {.status = 418};
    learn(418, cases[_i % 3].value, NULL);
    if (_i == 3) {
        fields_add(&twice.fields, arena, SPAN("Retry-After"), SPAN("60"));
        fields_add(&twice.fields, arena, SPAN("Retry-After"), SPAN("60"));
        limit_learn(&limit, &twice);
    }
    limit_tell(&limit, 0);
    ck_assert_uint_eq(look().holds[0].left_ms, cases[_i % 3].left_ms);
}
END_TEST

/* The time in the body takes precedence over Retry-After. */
START_TEST(prefers_the_time_in_the_body)
{
    int64_t now_ms = (int64_t)loop_wall(loop).tv_sec * 1000 + loop_wall(loop).tv_nsec / 1000000;
    learn(418, "60", NULL);
    limit_tell(&limit, now_ms + 9000);
    ck_assert_uint_eq(look().holds[0].left_ms, 9000);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(passes_the_weight_on_at_once);
    TEST(holds_once_it_is_told);
    TEST(other_statuses_hold_nothing);
    LOOP(reads_retry_after, 0, 4);
    TEST(prefers_the_time_in_the_body);
}
