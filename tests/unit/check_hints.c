/* The hints of `trunkline stats`: each names a cure where the numbers point to it, and only there. */
#include "cli/hints.h"

#include "suite.h"

static struct text out;

static void teardown(void)
{
    text_free(&out);
}

/* Of the upstream "ex" with these members. */
static const char *hints(const char *members)
{
    struct text row = {0};
    text_printf(&row, "{\"name\":\"ex\",\"listed\":true,%s}", members);
    json_t *u = json_loadb(row.at, row.len, 0, NULL);
    ck_assert_msg(u != NULL, "%s", row.at);
    text_clear(&out);
    hints_add(&out, u);
    json_decref(u);
    text_free(&row);
    return out.len ? out.at : "";
}

static const char well[] =
    "\"state\":\"up\",\"connections\":{\"max\":4,\"opened\":4,\"handshakes\":4,\"closed\":"
    "{\"idle_timeout\":2}},\"requests\":{\"total\":1000,\"errors\":{}},\"learned_idle_ms\":null,"
    "\"latency_ms\":{\"queue\":{\"count\":1000,\"p99\":1.5}},\"clock\":{\"offset_ms\":-40,"
    "\"error_ms\":30},\"limits\":{\"rate_refused\":0,\"weight_used\":10,\"weight_limit\":1200}";

START_TEST(nothing_to_say)
{
    ck_assert_str_eq(hints(well), "");
    ck_assert_str_eq(hints("\"state\":\"up\""), "");
}
END_TEST

START_TEST(states_that_a_command_ends)
{
    ck_assert_str_eq(hints("\"state\":\"paused\""),
                     "hint: ex: further requests wait until: trunkline resume ex\n");
    ck_assert_str_eq(hints("\"state\":\"draining\""),
                     "hint: ex: requests are refused until: trunkline resume ex\n");
    ck_assert_str_eq(hints("\"state\":\"frozen\""),
                     "hint: ex: no order is sent until: trunkline unfreeze ex (--all, if all were "
                     "frozen)\n");
    ck_assert_str_eq(hints("\"state\":\"open\""),
                     "hint: ex: it cannot be reached; to see why: trunkline doctor ex\n");
}
END_TEST

START_TEST(a_host_without_a_block)
{
    ck_assert_str_eq(hints("\"state\":\"frozen\",\"listed\":false"),
                     "hint: ex: no order is sent until: trunkline unfreeze --all\n");
    ck_assert_str_eq(hints("\"state\":\"open\",\"listed\":false"), "");
}
END_TEST

#define QUEUE(opened, count, p99, limit_reached)                                                   \
    "\"state\":\"up\",\"connections\":{\"max\":4,\"opened\":" opened "},"                          \
    "\"latency_ms\":{\"queue\":{\"count\":" count ",\"p99\":" p99 "}},"                            \
    "\"requests\":{\"errors\":{\"connection_limit_reached\":" limit_reached "}}"

START_TEST(waits_for_a_connection)
{
    ck_assert_str_eq(hints(QUEUE("4", "1000", "812", "0")),
                     "hint: ex: queue waits (p99 812 ms): max_connections = 4 is too small\n");
    ck_assert_str_eq(
        hints(QUEUE("9", "10", "2.5", "3")),
        "hint: ex: queue waits (p99 2.50 ms, 3 gave up): max_connections = 4 is too small\n");
    ck_assert_str_eq(hints(QUEUE("3", "1000", "812", "0")), "");
    ck_assert_str_eq(hints(QUEUE("4", "19", "812", "0")), "");
    ck_assert_str_eq(hints(QUEUE("4", "1000", "49.9", "0")), "");
}
END_TEST

#define SHAKES(handshakes, total, learned, closed)                                                 \
    "\"state\":\"up\",\"learned_idle_ms\":" learned                                                \
    ",\"connections\":{\"max\":99,\"handshakes\":" handshakes ",\"closed\":{" closed               \
    "}},\"requests\":{\"total\":" total "}"
#define FAR "hint: ex: handshakes far above requests (90 for 30): "

START_TEST(handshakes_for_nothing)
{
    ck_assert_str_eq(
        hints(SHAKES("90", "30", "null", "\"max_age\":9,\"idle_timeout\":70,\"peer\":2")),
        FAR "raise idle_timeout\n");
    ck_assert_str_eq(hints(SHAKES("90", "30", "null", "\"max_age\":80")), FAR "raise max_age\n");
    ck_assert_str_eq(hints(SHAKES("90", "30", "60000", "\"idle_timeout\":80")),
                     FAR "the exchange closes idle connections after 60 s: lower min_idle\n");
    ck_assert_str_eq(hints(SHAKES("90", "30", "null", "\"peer\":80")),
                     FAR "the exchange closes idle connections: lower min_idle\n");
    ck_assert_str_eq(hints(SHAKES("90", "30", "null", "\"response\":80")),
                     FAR "the exchange closes each connection after a response\n");
    ck_assert_str_eq(hints(SHAKES("90", "30", "null", "\"error\":80")),
                     FAR "the log says why at log_level = debug\n");
    ck_assert_str_eq(hints(SHAKES("90", "90", "null", "\"max_age\":80")), "");
    ck_assert_str_eq(hints(SHAKES("19", "1", "null", "\"max_age\":18")), "");
}
END_TEST

START_TEST(limits_and_the_clock)
{
    ck_assert_str_eq(hints("\"state\":\"up\",\"limits\":{\"rate_refused\":7}"),
                     "hint: ex: 7 requests were refused by rate: raise rate or burst as far as the "
                     "exchange allows\n");
    ck_assert_str_eq(hints("\"state\":\"up\",\"limits\":{\"weight_used\":960,"
                           "\"weight_limit\":1200}"),
                     "hint: ex: 960 of the weight of 1200 is used: fresh and coalesce answer "
                     "repeated public requests without asking the exchange\n");
    ck_assert_str_eq(hints("\"state\":\"up\",\"clock\":{\"offset_ms\":-2500,\"error_ms\":400}"),
                     "hint: ex: our clock is 2.5 s behind: run an NTP client, or signed requests "
                     "are refused\n");
    ck_assert_str_eq(hints("\"state\":\"up\",\"clock\":{\"offset_ms\":1300,\"error_ms\":400}"), "");
}
END_TEST

SUITE()
{
    FIXTURE(NULL, teardown);
    TEST(nothing_to_say);
    TEST(states_that_a_command_ends);
    TEST(a_host_without_a_block);
    TEST(waits_for_a_connection);
    TEST(handshakes_for_nothing);
    TEST(limits_and_the_clock);
}
