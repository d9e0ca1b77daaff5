#include "main/stats_table.h"

#include <jansson.h>
#include <stdio.h>

enum { CELL_SIZE = 64 };

/* The value at a dotted path, or NULL. */
static json_t *at_path(json_t *o, const char *path)
{
    struct span rest = span_of(path);
    while (o && rest.len) {
        char key[32];
        size_t dot = span_find(rest, '.');
        snprintf(key, sizeof key, "%.*s", (int)dot, rest.at);
        o = json_object_get(o, key);
        rest = span_from(rest, dot + 1);
    }
    return o;
}

static double number_at(json_t *o, const char *path)
{
    return json_number_value(at_path(o, path));
}

/* What stands in a page is not to steer the terminal. */
static void format_string(char *cell, const json_t *value)
{
    snprintf(cell, CELL_SIZE, "%s", json_is_string(value) ? json_string_value(value) : "-");
    for (char *p = cell; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

/* Six places at most: 99999, 123k, 4.57M. */
static void format_count(char *cell, double n)
{
    static const char units[] = "kMGTPE";
    const char *unit = units;
    if (n < 100000) {
        snprintf(cell, CELL_SIZE, "%.0f", n);
        return;
    }
    for (n /= 1000; n >= 999.5 && unit[1]; unit++)
        n /= 1000;
    snprintf(cell, CELL_SIZE, "%.*f%c", n < 9.995 ? 2 : n < 99.95 ? 1 : 0, n, *unit);
}

/* A share as per cent: cut, not rounded, so that 100 means all. */
static void format_share(char *cell, double part, double whole)
{
    if (whole > 0)
        snprintf(cell, CELL_SIZE, "%.1f", (double)(uint64_t)(part * 1000 / whole) / 10);
    else
        snprintf(cell, CELL_SIZE, "-");
}

static void format_ms(char *cell, double ms)
{
    snprintf(cell, CELL_SIZE, "%.*f", ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
}

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

/* Of the requests that got a line, those that found it warm. */
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
    double sum = 0;
    const char *key;
    json_t *count;
    json_object_foreach (at_path(u, path), key, count) {
        sum += json_number_value(count);
    }
    format_count(cell, sum);
}

static const struct column {
    const char *title;
    format_cell *format;
    const char *path;
} columns[] = {
    {"upstream", string_cell, "name"},
    {"state", string_cell, "state"},
    {"open", count_cell, "connections.open"},
    {"idle", count_cell, "connections.idle"},
    {"busy", count_cell, "connections.active"},
    {"wait", count_cell, "queue.waiting"},
    {"opened", count_cell, "connections.opened"},
    {"reused%", reused_cell, "connections.reused"},
    {"reqs", count_cell, "requests.total"},
    {"ok%", success_cell, "requests.succeeded"},
    {"p50ms", latency_cell, "latency_ms.total.p50"},
    {"p99ms", latency_cell, "latency_ms.total.p99"},
    {"errs", sum_cell, "requests.errors"},
};

struct table {
    json_t *upstreams;
    size_t widths[COUNT_OF(columns)];
};

static void measure(struct table *t)
{
    size_t row;
    json_t *u;
    for (size_t c = 0; c < COUNT_OF(columns); c++) {
        t->widths[c] = strlen(columns[c].title);
        json_array_foreach (t->upstreams, row, u) {
            char cell[CELL_SIZE];
            columns[c].format(cell, u, columns[c].path);
            if (strlen(cell) > t->widths[c])
                t->widths[c] = strlen(cell);
        }
    }
}

/* Words to the left, numbers to the right. */
static void add_cell(struct text *out, const struct table *t, size_t c, const char *cell)
{
    int width = (int)t->widths[c];
    bool is_word = columns[c].format == string_cell;
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

static void add_uptime(struct text *out, double seconds)
{
    unsigned minutes = (unsigned)(seconds / 60), hours = minutes / 60;
    if (hours >= 48)
        text_printf(out, "%ud %uh", hours / 24, hours % 24);
    else if (hours)
        text_printf(out, "%uh %um", hours, minutes % 60);
    else if (minutes)
        text_printf(out, "%um %us", minutes, (unsigned)seconds % 60);
    else
        text_printf(out, "%us", (unsigned)seconds);
}

static void add_summary(struct text *out, json_t *o)
{
    char version[CELL_SIZE], requests[CELL_SIZE], share[CELL_SIZE];
    format_string(version, at_path(o, "version"));
    format_count(requests, number_at(o, "requests.total"));
    success_cell(share, o, "requests.succeeded");
    text_printf(out, "trunkline %s, pid %.0f, up ", version, number_at(o, "pid"));
    add_uptime(out, number_at(o, "uptime_s"));
    text_printf(out, "%s: %.0f clients, %s requests, %.0f active, %s %% ok\n",
                json_is_true(at_path(o, "draining")) ? ", draining" : "",
                number_at(o, "clients.open"), requests, number_at(o, "requests.active"), share);
}

static void add_warnings(struct text *out, json_t *upstreams)
{
    size_t row;
    json_t *u;
    json_array_foreach (upstreams, row, u) {
        char name[CELL_SIZE];
        double bypassing = number_at(u, "tunnels.bypassing");
        format_string(name, at_path(u, "name"));
        if (json_is_false(at_path(u, "tls_verify")))
            text_printf(out, "warning: %s: tls_verify = no: anyone could answer in its name\n",
                        name);
        if (bypassing > 0)
            text_printf(out, "warning: %s: %.0f tunnels by CONNECT went past the pool\n", name,
                        bypassing);
    }
}

static void add_table(struct text *out, json_t *upstreams)
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
    add_warnings(out, upstreams);
}

bool stats_table(struct span document, struct text *out, char *error, size_t size)
{
    json_error_t problem;
    json_t *o = json_loadb(document.at, document.len, 0, &problem);
    json_t *upstreams = o ? json_object_get(o, "upstreams") : NULL;
    if (json_is_array(upstreams)) {
        add_summary(out, o);
        add_table(out, upstreams);
    } else {
        snprintf(error, size, "not the /stats of a trunkline: %s",
                 o ? "it lists no upstreams" : problem.text);
    }
    bool fine = json_is_array(upstreams);
    json_decref(o);
    return fine;
}
