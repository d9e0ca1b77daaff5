/* States: their names, their transitions, and the log line for a change. */
#include "base/state.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

#define DOOR_STATES(S)                                                                             \
    S(DOOR_OPEN, "open", TO(DOOR_SHUT))                                                            \
    S(DOOR_SHUT, "shut", TO(DOOR_OPEN) | TO(DOOR_LOCKED) | TO(DOOR_SHUT))                          \
    S(DOOR_LOCKED, "locked", 0)
STATE_TYPE(door, DOOR_STATES)

static enum door_state door;
static const struct request_id *request; /* the request that the door serves */
static unsigned asked;                   /* how often the trace asked for the door's number */

static uint64_t number(void)
{
    asked++;
    return 17;
}

static void enter(enum door_state to)
{
    STATE_ENTER(door, &door, to, "hall", number());
}

static void setup(void)
{
    door = DOOR_OPEN;
    asked = 0;
    request = NULL;
    log_set_level(LOG_LEVEL_INFO);
}

/* Returns what such a change writes to stderr. */
static const char *traced(enum door_state to, uint64_t id)
{
    static char line[500];
    int ends[2], saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    if (id)
        enter(to);
    else
        STATE_ENTER_FOR(door, &door, to, "hall", 0, request);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    line[n > 0 ? n : 0] = '\0';
    return line;
}

START_TEST(names_and_edges)
{
    ck_assert_int_eq(DOOR_OPEN, 0);
    ck_assert_str_eq(door_state_name(DOOR_OPEN), "open");
    ck_assert_str_eq(door_state_name(DOOR_LOCKED), "locked");
    ck_assert_uint_eq(door_state_edges(DOOR_SHUT),
                      1u << DOOR_OPEN | 1u << DOOR_LOCKED | 1u << DOOR_SHUT);
    ck_assert_uint_eq(door_state_edges(DOOR_LOCKED), 0);
}
END_TEST

START_TEST(legal_changes)
{
    enter(DOOR_SHUT);
    enter(DOOR_SHUT);
    enter(DOOR_OPEN);
    enter(DOOR_SHUT);
    enter(DOOR_LOCKED);
    ck_assert_int_eq(door, DOOR_LOCKED);
    ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(skipping_a_state_aborts)
{
    enter(DOOR_LOCKED);
}
END_TEST

START_TEST(staying_aborts_where_it_is_not_listed)
{
    enter(DOOR_OPEN);
}
END_TEST

START_TEST(leaving_a_final_state_aborts)
{
    door = DOOR_LOCKED;
    enter(DOOR_SHUT);
}
END_TEST

START_TEST(no_trace_above_debug)
{
    ck_assert_str_eq(traced(DOOR_SHUT, 17), "");
    ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(trace_at_debug)
{
    log_set_level(LOG_LEVEL_DEBUG);
    const char *line = traced(DOOR_SHUT, 0);
    ck_assert_msg(strstr(line, " debug hall: door: open -> shut\n"), "%s", line);
    line = traced(DOOR_LOCKED, 17);
    ck_assert_msg(strstr(line, " debug hall: door: shut -> locked line=17\n"), "%s", line);
    ck_assert_uint_eq(asked, 1);
}
END_TEST

START_TEST(trace_of_a_request)
{
    static const struct request_id id = {"06f3k9d2q4ab-17"};
    log_set_level(LOG_LEVEL_DEBUG);
    request = &id;
    const char *line = traced(DOOR_SHUT, 0);
    ck_assert_msg(strstr(line, " debug hall: door: open -> shut id=06f3k9d2q4ab-17\n"), "%s", line);
}
END_TEST

SUITE()
{
    FIXTURE(setup, NULL);
    TEST(names_and_edges);
    TEST(legal_changes);
    ABORTS(skipping_a_state_aborts);
    ABORTS(staying_aborts_where_it_is_not_listed);
    ABORTS(leaving_a_final_state_aborts);
    TEST(no_trace_above_debug);
    TEST(trace_at_debug);
    TEST(trace_of_a_request);
}
