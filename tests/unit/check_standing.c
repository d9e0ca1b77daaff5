/* The state of an upstream with its time and reason: which state wins, and since when it holds, also
 * after what ended by itself. */
#include "upstream/standing.h"

#include "suite.h"

#define NOW INT64_C(1764230400000)
#define LOOP_MS UINT64_C(5000000)

static struct standing s;
static struct circuit circuit;
static struct gate_view gate;
static struct standing_facts facts;
static struct standing_view view;

static void begin(void)
{
    s = (struct standing){0};
    circuit = (struct circuit){0};
    gate = (struct gate_view){.weight_used = -1};
    facts = (struct standing_facts){
        .now_ms = NOW, .loop_ms = LOOP_MS, .gate = &gate, .circuit = &circuit};
    standing_commanded(&s, NOW - 60000, false);
}

static void is(const char *state, int64_t ago_ms, const char *cause, const char *reason)
{
    standing_describe(&s, &facts, &view);
    ck_assert_str_eq(view.state, state);
    ck_assert_int_eq(NOW - view.since_ms, ago_ms);
    ck_assert_str_eq(view.cause, cause);
    ck_assert_str_eq(view.reason, reason);
}

static void hold(const char *held, unsigned status, const char *bot, const char *path)
{
    gate.holds[gate.hold_count++] =
        (struct gate_hold){.held = held, .status = status, .bot = bot, .path = path};
}

START_TEST(it_is_up_since_the_start)
{
    is("up", 60000, "start", "it is up since the start");
}
END_TEST

START_TEST(a_command_of_an_operator)
{
    standing_commanded(&s, NOW - 5000, false);
    facts.paused = true;
    is("paused", 5000, "operator", "an operator paused it");
    facts.paused = false;
    facts.draining = true;
    is("draining", 5000, "operator", "an operator drained it");
    facts.removed = true;
    is("draining", 5000, "removed", "it is gone from the configuration");
    facts.removed = facts.draining = false;
    standing_commanded(&s, NOW - 4000, true);
    is("up", 4000, "resume", "an operator resumed it");
}
END_TEST

START_TEST(an_open_circuit)
{
    circuit_failed(&circuit, FAILURE_CONNECTION_REFUSED, "connection refused", NOW - 9000);
    is("up", 60000, "start", "it is up since the start");
    circuit_failed(&circuit, FAILURE_CONNECTION_TIMEOUT, "no answer in 5s", NOW - 8000);
    circuit_turned(&circuit, true, NOW - 8000);
    circuit_turned(&circuit, true, NOW - 7000);
    is("open", 8000, "connection_timeout", "connection_timeout: no answer in 5s");
    circuit_turned(&circuit, false, NOW - 6000);
    circuit_connected(&circuit);
    is("up", 6000, "connected", "it was reached again");
}
END_TEST

START_TEST(an_unlisted_host_that_was_never_reached)
{
    circuit_failed(&circuit, FAILURE_DNS_ERROR, "no such name", NOW - 9000);
    circuit_failed(&circuit, FAILURE_DNS_ERROR, "no such name", NOW - 8000);
    facts.unreached = true;
    is("open", 9000, "dns_error", "dns_error: no such name");
}
END_TEST

START_TEST(a_hold)
{
    hold("credential", 429, "other", "/o");
    hold("all", 418, "grid1", "/api/v3/order");
    gate.held_ms = 1000;
    gate.turned_ms = LOOP_MS - 2500;
    is("held", 2500, "status_418", "the exchange answered 418 to grid1 for /api/v3/order");
    gate.holds[1].bot = gate.holds[1].path = "";
    is("held", 2500, "status_418", "the exchange answered 418");
    gate.held_ms = 0;
    gate.hold_count = 0;
    gate.turned_ms = LOOP_MS - 500; /* it has ended by itself */
    is("up", 500, "hold_ended", "a hold ended");
}
END_TEST

START_TEST(the_weight)
{
    gate.held_ms = 1000;
    gate.turned_ms = LOOP_MS - 1500;
    gate.weight_used = 4980;
    gate.weight_limit = 6000;
    is("held", 1500, "weight", "used weight 4980 of 6000");
}
END_TEST

START_TEST(a_freeze)
{
    facts.frozen = true;
    facts.frozen_since_ms = NOW - 3000;
    facts.frozen_by = "127.0.0.1:9";
    facts.paused = true;
    gate.held_ms = 1;
    standing_frozen(&s, true, NOW - 3000);
    is("frozen", 3000, "freeze", "frozen by 127.0.0.1:9");
    facts.frozen = facts.paused = false;
    gate.held_ms = 0;
    standing_frozen(&s, false, NOW - 1000);
    standing_frozen(&s, false, NOW);
    is("up", 1000, "unfreeze", "a freeze ended");
}
END_TEST

/* Frozen, draining, paused, held, open, up. */
START_TEST(the_first_that_applies)
{
    static const char *const order[] = {"frozen", "draining", "paused", "held", "open", "up"};
    facts.frozen_by = "me";
    for (size_t from = 0; from < COUNT_OF(order); from++) {
        facts.frozen = from < 1;
        facts.draining = from < 2;
        facts.paused = from < 3;
        gate.held_ms = from < 4;
        facts.unreached = from < 5;
        standing_describe(&s, &facts, &view);
        ck_assert_str_eq(view.state, order[from]);
    }
}
END_TEST

SUITE()
{
    FIXTURE(begin, NULL);
    TEST(it_is_up_since_the_start);
    TEST(a_command_of_an_operator);
    TEST(an_open_circuit);
    TEST(an_unlisted_host_that_was_never_reached);
    TEST(a_hold);
    TEST(the_weight);
    TEST(a_freeze);
    TEST(the_first_that_applies);
}
