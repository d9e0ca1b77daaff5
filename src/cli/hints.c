#include "cli/hints.h"

#include <stdio.h>

#include "cli/stats_cell.h"

/* Below these, chance or a cold start explains the numbers. */
#define LEAST_WAITS 20
#define LONG_WAIT_MS 50
#define LEAST_HANDSHAKES 20
#define NEARLY_ALL_WEIGHT 0.8
#define CLOCK_OFF_MS 1000

struct upstream {
    json_t *row;
    char name[CELL_SIZE], state[CELL_SIZE];
    double handshakes, requests;
};

static void begin(struct text *out, const struct upstream *u)
{
    text_printf(out, "hint: %s: ", u->name);
}

static bool is_in(const struct upstream *u, const char *state)
{
    return strcmp(u->state, state) == 0;
}

/* What a command ends, or explains. Hosts without a block are frozen with all others only, and
 * doctor does not know them. */
static void look_at_state(struct text *out, const struct upstream *u)
{
    bool listed = json_is_true(at_path(u->row, "listed"));
    if (is_in(u, "paused")) {
        begin(out, u);
        text_printf(out, "further requests wait until: trunkline resume %s\n", u->name);
    } else if (is_in(u, "draining")) {
        begin(out, u);
        text_printf(out, "requests are refused until: trunkline resume %s\n", u->name);
    } else if (is_in(u, "frozen")) {
        begin(out, u);
        text_printf(out, "no order is sent until: trunkline unfreeze %s%s\n",
                    listed ? u->name : "--all", listed ? " (--all, if all were frozen)" : "");
    } else if (is_in(u, "open") && listed) {
        begin(out, u);
        text_printf(out, "it cannot be reached; to see why: trunkline doctor %s\n", u->name);
    }
}

/* Connections that are being opened make requests wait too, so that a wait alone says nothing. */
static void look_at_queue(struct text *out, const struct upstream *u)
{
    char wait[CELL_SIZE];
    double most = number_at(u->row, "connections.max");
    double p99 = number_at(u->row, "latency_ms.queue.p99");
    bool is_slow =
        p99 >= LONG_WAIT_MS && number_at(u->row, "latency_ms.queue.count") >= LEAST_WAITS;
    double refused = number_at(u->row, "requests.errors.connection_limit_reached");
    if ((!is_slow && refused == 0) || number_at(u->row, "connections.opened") < most)
        return;
    format_ms(wait, p99);
    begin(out, u);
    text_printf(out, "queue waits (p99 %s ms", wait);
    if (refused > 0)
        text_printf(out, ", %.0f gave up", refused);
    text_printf(out, "): max_connections = %.0f is too small\n", most);
}

/* The reason for which most connections were closed. */
static const char *main_reason(const struct upstream *u)
{
    const char *key, *found = "";
    json_t *count;
    double most = 0;
    json_object_foreach (at_path(u->row, "connections.closed"), key, count) {
        if (json_number_value(count) > most) {
            most = json_number_value(count);
            found = key;
        }
    }
    return found;
}

/* What helps against the reason; an idle time that was learned takes the place of idle_timeout. */
static void add_cure(struct text *out, const struct upstream *u, const char *reason)
{
    static const char *const directives[] = {"idle_timeout", "max_age", "max_requests", "max_idle"};
    double learned = number_at(u->row, "learned_idle_ms");
    if (strcmp(reason, "peer") == 0 || (strcmp(reason, "idle_timeout") == 0 && learned > 0)) {
        text_add_str(out, "the exchange closes idle connections");
        if (learned > 0)
            text_printf(out, " after %.0f s", learned / 1000);
        text_add_str(out, ": lower min_idle\n");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(directives); i++)
        if (strcmp(reason, directives[i]) == 0) {
            text_printf(out, "raise %s\n", reason);
            return;
        }
    if (strcmp(reason, "response") == 0)
        text_add_str(out, "the exchange closes each connection after a response\n");
    else
        text_add_str(out, "the log says why at log_level = debug\n");
}

static void look_at_handshakes(struct text *out, const struct upstream *u)
{
    const char *reason = main_reason(u);
    if (u->handshakes < LEAST_HANDSHAKES || u->handshakes <= u->requests || *reason == '\0')
        return;
    begin(out, u);
    text_printf(out, "handshakes far above requests (%.0f for %.0f): ", u->handshakes, u->requests);
    add_cure(out, u, reason);
}

static void look_at_limits(struct text *out, const struct upstream *u)
{
    double refused = number_at(u->row, "limits.rate_refused");
    double used = number_at(u->row, "limits.weight_used");
    double limit = number_at(u->row, "limits.weight_limit");
    if (refused > 0) {
        begin(out, u);
        text_printf(out,
                    "%.0f requests were refused by rate: raise rate or burst as far as the "
                    "exchange allows\n",
                    refused);
    }
    if (limit > 0 && used >= limit * NEARLY_ALL_WEIGHT) {
        begin(out, u);
        text_printf(out,
                    "%.0f of the weight of %.0f is used: fresh and coalesce answer repeated public "
                    "requests without asking the exchange\n",
                    used, limit);
    }
}

static void look_at_clock(struct text *out, const struct upstream *u)
{
    double offset = number_at(u->row, "clock.offset_ms");
    double distance = offset < 0 ? -offset : offset;
    if (distance - number_at(u->row, "clock.error_ms") < CLOCK_OFF_MS)
        return;
    begin(out, u);
    text_printf(out, "our clock is %.1f s %s: run an NTP client, or signed requests are refused\n",
                distance / 1000, offset < 0 ? "behind" : "ahead");
}

void hints_add(struct text *out, json_t *upstream)
{
    struct upstream u = {.row = upstream};
    format_string(u.name, at_path(upstream, "name"));
    format_string(u.state, at_path(upstream, "state"));
    u.handshakes = number_at(upstream, "connections.handshakes");
    u.requests = number_at(upstream, "requests.total");
    look_at_state(out, &u);
    look_at_queue(out, &u);
    look_at_handshakes(out, &u);
    look_at_limits(out, &u);
    look_at_clock(out, &u);
}
