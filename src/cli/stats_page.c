#include "cli/stats_page.h"

#include <stdio.h>

#include "cli/stats_cell.h"

#define LINE_MAX_COLUMNS 80
#define NAME_COLUMNS 16
#define ROWS_BESIDE 3 /* the summary, an empty line, the titles */

static const char bold[] = "1", red[] = "31", yellow[] = "33";

struct row {
    json_t *upstream;
    const char *name, *state;
    bool troubled;
    json_t *before;
    double requests, errors; /* a second; below 0: not known */
};

struct page {
    const struct page_form *form;
    json_t *before, *now; /* before: NULL: there are no rates */
    double seconds;       /* between them */
    struct text *out;
    struct row *rows;
    size_t count;
    struct text unknown, unverified, bypassed; /* the warnings; empty: none */
};

/* Adds a line, cut to the page's width; `colour` NULL: none. */
static void add_line(struct page *p, const struct text *line, const char *colour)
{
    size_t columns = p->form->columns < LINE_MAX_COLUMNS ? p->form->columns : LINE_MAX_COLUMNS;
    struct span shown = span_first(text_span(line), columns);
    if (colour && p->form->colours)
        text_printf(p->out, "\033[%sm%.*s\033[0m\n", colour, SPAN_ARG(shown));
    else
        text_printf(p->out, "%.*s\n", SPAN_ARG(shown));
}

static double rate(const struct page *p, double before, double now)
{
    return p->seconds > 0 && now >= before ? (now - before) / p->seconds : -1;
}

static void format_rate(char *cell, double n)
{
    if (n < 0)
        snprintf(cell, CELL_SIZE, "-");
    else if (n < 99.95)
        snprintf(cell, CELL_SIZE, "%.1f", n);
    else
        format_count(cell, n);
}

/* The same upstream in the document before. */
static json_t *find_before(const struct page *p, const char *name)
{
    size_t i;
    json_t *u;
    json_array_foreach (json_object_get(p->before, "upstreams"), i, u) {
        const char *its = json_string_value(json_object_get(u, "name"));
        if (its && strcmp(its, name) == 0)
            return u;
    }
    return NULL;
}

static const char *word_at(json_t *u, const char *key)
{
    const char *word = json_string_value(json_object_get(u, key));
    return word ? word : "-";
}

/* An upstream that is new since then counts from 0. */
static struct row make_row(const struct page *p, json_t *u)
{
    struct row r = {.upstream = u, .name = word_at(u, "name"), .state = word_at(u, "state")};
    r.before = find_before(p, r.name);
    r.troubled = strcmp(r.state, "up") != 0;
    r.requests = rate(p, number_at(r.before, "requests.total"), number_at(u, "requests.total"));
    r.errors = rate(p, sum_at(r.before, "requests.errors"), sum_at(u, "requests.errors"));
    return r;
}

static int compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->troubled != y->troubled)
        return x->troubled ? -1 : 1;
    if (x->requests != y->requests)
        return x->requests > y->requests ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void make_rows(struct page *p)
{
    json_t *upstreams = json_object_get(p->now, "upstreams"), *u;
    size_t i;
    p->rows = must_calloc(json_array_size(upstreams) + 1, sizeof *p->rows);
    json_array_foreach (upstreams, i, u) {
        p->rows[p->count++] = make_row(p, u);
    }
    qsort(p->rows, p->count, sizeof *p->rows, compare);
}

static void add_summary(struct page *p)
{
    char version[CELL_SIZE], requests[CELL_SIZE];
    struct text line = {0};
    format_string(version, at_path(p->now, "version"));
    format_rate(requests, rate(p, number_at(p->before, "requests.total"),
                               number_at(p->now, "requests.total")));
    bool draining = json_is_true(at_path(p->now, "draining"));
    text_printf(&line, "trunkline %s, pid %.0f, up ", version, number_at(p->now, "pid"));
    format_uptime(&line, number_at(p->now, "uptime_s"));
    text_printf(&line, "%s: %.0f clients, %s req/s, %.0f active", draining ? ", draining" : "",
                number_at(p->now, "clients.open"), requests, number_at(p->now, "requests.active"));
    add_line(p, &line, draining ? yellow : NULL);
    text_free(&line);
}

/* A word, cut to its column's width. It is ASCII, so that a byte is a column. */
static void add_word(struct text *line, json_t *word, int width)
{
    char cell[CELL_SIZE];
    format_string(cell, word);
    for (char *c = cell; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    if (strlen(cell) > (size_t)width)
        snprintf(cell + width - 1, 2, "~");
    text_printf(line, "%-*s ", width, cell);
}

static void add_count(struct text *line, json_t *u, const char *path)
{
    char cell[CELL_SIZE];
    format_count(cell, number_at(u, path));
    text_printf(line, " %5s", cell);
}

static double since(const struct row *r, const char *path)
{
    return number_at(r->upstream, path) - number_at(r->before, path);
}

/* Of the requests since then that the store could have answered. */
static void format_hits(const struct page *p, char *cell, const struct row *r)
{
    double hits = since(r, "cache.hits"),
           others =
               since(r, "cache.misses") + since(r, "cache.stale") + since(r, "cache.collapsed");
    format_share(cell, hits, p->seconds > 0 ? hits + others : 0);
}

/* Of the last complete five seconds. */
static void format_p99(char *cell, const struct row *r)
{
    json_t *steps = at_path(r->upstream, "recent.p99_ms");
    json_t *newest = json_array_get(steps, json_array_size(steps) - 1);
    if (json_is_number(newest))
        format_ms(cell, json_number_value(newest));
    else
        format_string(cell, NULL);
}

static void add_row(struct page *p, const struct row *r)
{
    static const char *const counts[] = {"connections.open", "connections.idle",
                                         "connections.active", "queue.waiting"};
    char requests[CELL_SIZE], errors[CELL_SIZE], p99[CELL_SIZE], hits[CELL_SIZE];
    struct text line = {0};
    add_word(&line, json_object_get(r->upstream, "name"), NAME_COLUMNS);
    add_word(&line, json_object_get(r->upstream, "state"), 8);
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        add_count(&line, r->upstream, counts[i]);
    format_rate(requests, r->requests);
    format_rate(errors, r->errors);
    format_p99(p99, r);
    format_hits(p, hits, r);
    text_printf(&line, " %6s %6s %6s %5s", requests, errors, p99, hits);
    add_line(p, &line, r->troubled ? red : r->errors > 0 ? yellow : NULL);
    text_free(&line);
}

static void add_titles(struct page *p)
{
    struct text line = {0};
    add_line(p, &line, NULL);
    text_printf(&line, "%-*s %-8s  %5s %5s %5s %5s %6s %6s %6s %5s", NAME_COLUMNS, "upstream",
                "state", "open", "idle", "busy", "wait", "req/s", "err/s", "p99ms", "hit%");
    add_line(p, &line, bold);
    text_free(&line);
}

static void add_name(struct text *to, const char *what, json_t *u)
{
    char name[CELL_SIZE];
    format_string(name, json_object_get(u, "name"));
    text_printf(to, "%s%s", to->len ? ", " : what, name);
}

/* The warnings of plain `stats`, in a line for each kind. */
static void find_warnings(struct page *p)
{
    for (size_t i = 0; i < p->count; i++) {
        json_t *u = p->rows[i].upstream;
        double unknown = number_at(u, "requests.unknown");
        if (unknown > 0) {
            add_name(&p->unknown, "orders of unknown fate: ", u);
            text_printf(&p->unknown, " %.0f", unknown);
        }
        if (json_is_false(at_path(u, "tls_verify")))
            add_name(&p->unverified, "warning: tls_verify = no: ", u);
        if (number_at(u, "tunnels.bypassing") > 0)
            add_name(&p->bypassed, "warning: tunnels by CONNECT went past the pool: ", u);
    }
}

/* How many lines of warnings fit, beside the summary and one row. */
static size_t warnings_shown(const struct page *p)
{
    size_t rows = p->form->rows;
    size_t all = (p->unknown.len > 0) + (p->unverified.len > 0) + (p->bypassed.len > 0);
    return rows == 0 || rows > ROWS_BESIDE + all ? all : 0;
}

static void add_warnings(struct page *p)
{
    if (warnings_shown(p) == 0)
        return;
    if (p->unknown.len)
        add_line(p, &p->unknown, red);
    if (p->unverified.len)
        add_line(p, &p->unverified, yellow);
    if (p->bypassed.len)
        add_line(p, &p->bypassed, yellow);
}

/* How many upstreams fit; one row is reserved for saying that there are more. */
static size_t fitting(const struct page *p)
{
    size_t rows = p->form->rows, beside = ROWS_BESIDE + warnings_shown(p);
    if (rows == 0 || p->count + beside <= rows)
        return p->count;
    return rows > beside + 1 ? rows - beside - 1 : 0;
}

static void add_page(struct page *p)
{
    size_t shown = fitting(p);
    bool tight = p->form->rows && p->form->rows <= ROWS_BESIDE;
    add_summary(p);
    if (tight)
        return;
    add_titles(p);
    for (size_t i = 0; i < shown; i++)
        add_row(p, &p->rows[i]);
    if (shown < p->count)
        text_printf(p->out, "… %zu more\n", p->count - shown);
    add_warnings(p);
}

/* Are both documents of the same run of the daemon? */
static bool goes_on(json_t *before, json_t *now)
{
    return before && number_at(before, "pid") == number_at(now, "pid") &&
           number_at(before, "uptime_s") < number_at(now, "uptime_s");
}

static void make_page(struct page *p)
{
    if (goes_on(p->before, p->now))
        p->seconds = number_at(p->now, "uptime_s") - number_at(p->before, "uptime_s");
    make_rows(p);
    find_warnings(p);
    add_page(p);
    free(p->rows);
    text_free(&p->unknown);
    text_free(&p->unverified);
    text_free(&p->bypassed);
}

bool stats_page(struct span before, struct span now, const struct page_form *form, struct text *out,
                char *error, size_t size)
{
    json_error_t problem;
    struct page p = {.form = form, .out = out};
    p.now = json_loadb(now.at ? now.at : "", now.len, 0, &problem);
    p.before = before.len ? json_loadb(before.at, before.len, 0, NULL) : NULL;
    bool fine = json_is_array(json_object_get(p.now, "upstreams"));
    if (fine)
        make_page(&p);
    else
        snprintf(error, size, "not the /stats of a trunkline: %s",
                 p.now ? "it lists no upstreams" : problem.text);
    json_decref(p.before);
    json_decref(p.now);
    return fine;
}
