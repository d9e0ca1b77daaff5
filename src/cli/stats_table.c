#include "cli/stats_table.h"

#include <stdio.h>

#include "cli/hints.h"
#include "cli/stats_cell.h"

typedef void format_cell(char *cell, json_t *upstream, const char *path);

static void string_cell(char *cell, json_t *u, const char *path)
{
    format_string(cell, at_path(u, path));
}

static void count_cell(char *cell, json_t *u, const char *path)
{
    format_count(cell, number_at(u, path));
}

static void latency_cell(char *cell, json_t *u, const char *path)
{
    if (number_at(u, "latency_ms.total.count") > 0)
        format_ms(cell, number_at(u, path));
    else
        format_string(cell, NULL);
}

/* Of the requests that got a connection, those that got an open one. */
static void reused_cell(char *cell, json_t *u, const char *path)
{
    double reused = number_at(u, path), lent = number_at(u, "latency_ms.queue.count");
    format_share(cell, reused, reused > lent ? reused : lent);
}

static void success_cell(char *cell, json_t *u, const char *path)
{
    double succeeded = number_at(u, path);
    format_share(cell, succeeded, succeeded + number_at(u, "requests.failed"));
}

static void sum_cell(char *cell, json_t *u, const char *path)
{
    format_count(cell, sum_at(u, path));
}

static const struct column {
    const char *title;
    format_cell *format;
    const char *path;
    bool when_not_0; /* shown only if it is not 0 somewhere */
} columns[] = {
    {"upstream", string_cell, "name", false},
    {"state", string_cell, "state", false},
    {"open", count_cell, "connections.open", false},
    {"idle", count_cell, "connections.idle", false},
    {"busy", count_cell, "connections.active", false},
    {"wait", count_cell, "queue.waiting", false},
    {"opened", count_cell, "connections.opened", false},
    {"reused%", reused_cell, "connections.reused", false},
    {"reqs", count_cell, "requests.total", false},
    {"ok%", success_cell, "requests.succeeded", false},
    {"p50ms", latency_cell, "latency_ms.total.p50", false},
    {"p99ms", latency_cell, "latency_ms.total.p99", false},
    {"errs", sum_cell, "requests.errors", false},
    {"unknown", count_cell, "requests.unknown", true},
};

struct table {
    json_t *upstreams;
    size_t widths[COUNT_OF(columns)]; /* 0: not shown */
};

static double sum_of(json_t *upstreams, const char *path)
{
    size_t row;
    json_t *u;
    double sum = 0;
    json_array_foreach (upstreams, row, u) {
        sum += number_at(u, path);
    }
    return sum;
}

static void measure(struct table *t)
{
    size_t row;
    json_t *u;
    for (size_t c = 0; c < COUNT_OF(columns); c++) {
        if (columns[c].when_not_0 && sum_of(t->upstreams, columns[c].path) <= 0)
            continue;
        t->widths[c] = strlen(columns[c].title);
        json_array_foreach (t->upstreams, row, u) {
            char cell[CELL_SIZE];
            columns[c].format(cell, u, columns[c].path);
            if (strlen(cell) > t->widths[c])
                t->widths[c] = strlen(cell);
        }
    }
}

/* Words are aligned to the left, numbers to the right. */
static void add_cell(struct text *out, const struct table *t, size_t c, const char *cell)
{
    int width = (int)t->widths[c];
    bool is_word = columns[c].format == string_cell;
    if (width)
        text_printf(out, "%s%*s", c ? " " : "", is_word ? -width : width, cell);
    if (c + 1 == COUNT_OF(columns))
        text_add(out, SPAN("\n"));
}

static void add_row(struct text *out, const struct table *t, json_t *u)
{
    for (size_t c = 0; c < COUNT_OF(columns); c++) {
        char cell[CELL_SIZE];
        columns[c].format(cell, u, columns[c].path);
        add_cell(out, t, c, cell);
    }
}

static void add_summary(struct text *out, json_t *o)
{
    char version[CELL_SIZE], requests[CELL_SIZE], share[CELL_SIZE];
    format_string(version, at_path(o, "version"));
    format_count(requests, number_at(o, "requests.total"));
    success_cell(share, o, "requests.succeeded");
    text_printf(out, "trunkline %s, pid %.0f, up ", version, number_at(o, "pid"));
    format_uptime(out, number_at(o, "uptime_s"));
    text_printf(out, "%s: %.0f clients, %s requests, %.0f active, %s %% ok",
                json_is_true(at_path(o, "draining")) ? ", draining" : "",
                number_at(o, "clients.open"), requests, number_at(o, "requests.active"), share);
    double unknown = sum_of(json_object_get(o, "upstreams"), "requests.unknown");
    if (unknown > 0)
        text_printf(out, ", %.0f orders of unknown fate", unknown);
    text_add(out, SPAN("\n"));
}

/* Which requests wait, for how long, and why. */
static void add_holds(struct text *out, const char *name, json_t *holds)
{
    size_t row;
    json_t *h;
    json_array_foreach (holds, row, h) {
        char held[CELL_SIZE], bot[CELL_SIZE], path[CELL_SIZE];
        format_string(held, at_path(h, "held"));
        format_string(bot, at_path(h, "bot"));
        format_string(path, at_path(h, "path"));
        text_printf(out, "held: %s: %s%s for ", name,
                    strcmp(held, "credential") == 0 ? "one credential's" : held,
                    strcmp(held, "all") == 0 ? "" : " requests");
        format_uptime(out, (number_at(h, "left_ms") + 999) / 1000);
        text_printf(out, ", because of %.0f to %s at %s (trunkline resume %s ends it)\n",
                    number_at(h, "status"), bot, path, name);
    }
}

static void add_exits(struct text *out, const char *name, json_t *exits)
{
    size_t row;
    json_t *e;
    json_array_foreach (exits, row, e) {
        char exit[CELL_SIZE], state[CELL_SIZE];
        format_string(exit, at_path(e, "name"));
        format_string(state, at_path(e, "state"));
        text_printf(out, "exit: %s: %s %s: %.0f open, %.0f idle, %.0f busy, %.0f waiting", name,
                    exit, state, number_at(e, "connections.open"), number_at(e, "connections.idle"),
                    number_at(e, "connections.active"), number_at(e, "queue.waiting"));
        text_printf(out, ", %.0f opened, %.0f failed\n", number_at(e, "connections.opened"),
                    number_at(e, "connections.failed"));
    }
}

static void add_endpoints(struct text *out, const char *name, json_t *endpoints)
{
    size_t row;
    json_t *e;
    json_array_foreach (endpoints, row, e) {
        char endpoint[CELL_SIZE], state[CELL_SIZE], ttfb[CELL_SIZE];
        bool orders = json_is_true(at_path(e, "orders")),
             public = json_is_true(at_path(e, "public"));
        format_string(endpoint, at_path(e, "name"));
        format_string(state, at_path(e, "state"));
        format_ms(ttfb, number_at(e, "ttfb_ms"));
        text_printf(out, "endpoint: %s: %s %s: %.0f open, %.0f idle, %.0f busy, %.0f waiting", name,
                    endpoint, state, number_at(e, "connections.open"),
                    number_at(e, "connections.idle"), number_at(e, "connections.active"),
                    number_at(e, "queue.waiting"));
        text_printf(out, ", first byte %s ms%s%s%s\n",
                    json_is_null(at_path(e, "ttfb_ms")) ? "-" : ttfb, orders || public ? "; " : "",
                    orders ? "orders" : "", public ? orders ? ", public" : "public" : "");
    }
}

/* `where`: what names the orders of unknown fate. */
static void add_warnings(struct text *out, const char *name, json_t *u, const char *where)
{
    double bypassing = number_at(u, "tunnels.bypassing");
    double tls_failed = number_at(u, "tunnels.tls_failed");
    double unknown = number_at(u, "requests.unknown");
    if (json_is_false(at_path(u, "tls_verify")))
        text_printf(out, "warning: %s: tls_verify = no: anyone could answer in its name\n", name);
    if (unknown > 0)
        text_printf(out, "warning: %s: %.0f orders of unknown fate: %s\n", name, unknown, where);
    if (bypassing > 0)
        text_printf(out,
                    "warning: %s: %.0f tunnels by CONNECT went past the pool: give the client a "
                    "base URL, or set connect = intercept\n",
                    name, bypassing);
    if (tls_failed > 0)
        text_printf(out,
                    "warning: %s: %.0f TLS handshakes inside CONNECT failed: does the "
                    "client trust ca_cert?\n",
                    name, tls_failed);
}

static void add_notes(struct text *out, json_t *o, json_t *upstreams)
{
    bool has_journal = json_is_string(at_path(o, "order_journal.path"));
    size_t row;
    json_t *u;
    json_array_foreach (upstreams, row, u) {
        char name[CELL_SIZE];
        format_string(name, at_path(u, "name"));
        add_exits(out, name, at_path(u, "exits"));
        add_endpoints(out, name, at_path(u, "endpoints"));
        add_holds(out, name, at_path(u, "limits.holds"));
        add_warnings(out, name, u, has_journal ? "see trunkline orders --unknown" : "see the log");
        hints_add(out, u);
    }
}

static void add_table(struct text *out, json_t *o, json_t *upstreams)
{
    struct table t = {.upstreams = upstreams};
    size_t row;
    json_t *u;
    measure(&t);
    for (size_t c = 0; c < COUNT_OF(columns); c++)
        add_cell(out, &t, c, columns[c].title);
    json_array_foreach (upstreams, row, u) {
        add_row(out, &t, u);
    }
    add_notes(out, o, upstreams);
}

bool stats_table(struct span document, struct text *out, char *error, size_t size)
{
    json_error_t problem;
    json_t *o = json_loadb(document.at, document.len, 0, &problem);
    json_t *upstreams = o ? json_object_get(o, "upstreams") : NULL;
    if (json_is_array(upstreams)) {
        add_summary(out, o);
        add_table(out, o, upstreams);
    } else {
        snprintf(error, size, "not the /stats of a trunkline: %s",
                 o ? "it lists no upstreams" : problem.text);
    }
    bool fine = json_is_array(upstreams);
    json_decref(o);
    return fine;
}
