#include "cli/requests_table.h"

#include <stdio.h>

#include "cli/stats_cell.h"
#include "http/progress.h"

#define ROWS_BESIDE 2 /* the summary, the titles */
#define TARGET "target"

static void string_cell(char *cell, json_t *r, const char *key)
{
    format_string(cell, json_object_get(r, key));
}

/* One that has left is told of, since nobody waits for the answer any more. */
static void client_cell(char *cell, json_t *r, const char *key)
{
    string_cell(cell, r, key);
    size_t len = strlen(cell);
    if (json_is_true(json_object_get(r, "left")))
        snprintf(cell + len, CELL_SIZE - len, " (left)");
}

static void line_cell(char *cell, json_t *r, const char *key)
{
    json_t *number = json_object_get(r, key);
    if (json_is_integer(number))
        snprintf(cell, CELL_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
    else
        snprintf(cell, CELL_SIZE, "-");
}

static void age_cell(char *cell, json_t *r, const char *key)
{
    format_age(cell, json_number_value(json_object_get(r, key)));
}

/* The target comes last: it may be as long as it likes. */
static const struct column {
    const char *title;
    void (*format)(char *cell, json_t *request, const char *key);
    const char *key;
} columns[] = {
    {"age", age_cell, "age_ms"},       {"state", string_cell, "state"},
    {"sent", string_cell, "sent"},     {"upstream", string_cell, "upstream"},
    {"line", line_cell, "line"},       {"address", string_cell, "address"},
    {"client", client_cell, "client"}, {"bot", string_cell, "bot"},
    {"id", string_cell, "id"},         {"method", string_cell, "method"},
};

struct table {
    json_t *requests; /* those that are meant */
    const struct page_form *form;
    struct text *out;
    size_t widths[COUNT_OF(columns)];
};

static size_t shown(const struct table *t)
{
    size_t rows = t->form->rows, count = json_array_size(t->requests);
    if (rows == 0 || count + ROWS_BESIDE <= rows)
        return count;
    return rows > ROWS_BESIDE + 1 ? rows - ROWS_BESIDE - 1 : 0;
}

static void measure(struct table *t)
{
    for (size_t c = 0; c < COUNT_OF(columns); c++) {
        t->widths[c] = strlen(columns[c].title);
        for (size_t i = 0; i < shown(t); i++) {
            char cell[CELL_SIZE];
            columns[c].format(cell, json_array_get(t->requests, i), columns[c].key);
            if (strlen(cell) > t->widths[c])
                t->widths[c] = strlen(cell);
        }
    }
}

/* Cut to the form's width, and empties it. */
static void add_line(const struct table *t, struct text *line)
{
    size_t most = t->form->columns ? t->form->columns : line->len;
    text_add(t->out, span_first(text_span(line), line->len < most ? line->len : most));
    text_add(t->out, SPAN("\n"));
    text_clear(line);
}

static void add_cell(const struct table *t, struct text *line, size_t c, const char *cell)
{
    bool is_word = columns[c].format == string_cell || columns[c].format == client_cell;
    int width = (int)t->widths[c];
    text_printf(line, "%*s ", is_word ? -width : width, cell);
}

/* What stands in a page is not to steer the terminal. */
static void add_target(struct text *line, json_t *request)
{
    const char *target = json_string_value(json_object_get(request, TARGET));
    size_t from = line->len;
    text_add_str(line, target ? target : "-");
    for (char *p = line->at + from; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

static void add_rows(const struct table *t)
{
    struct text line = {0};
    for (size_t c = 0; c < COUNT_OF(columns); c++)
        add_cell(t, &line, c, columns[c].title);
    text_add(&line, SPAN(TARGET));
    add_line(t, &line);
    for (size_t i = 0; i < shown(t); i++) {
        json_t *request = json_array_get(t->requests, i);
        for (size_t c = 0; c < COUNT_OF(columns); c++) {
            char cell[CELL_SIZE];
            columns[c].format(cell, request, columns[c].key);
            add_cell(t, &line, c, cell);
        }
        add_target(&line, request);
        add_line(t, &line);
    }
    if (shown(t) < json_array_size(t->requests))
        text_printf(t->out, "… %zu more\n", json_array_size(t->requests) - shown(t));
    text_free(&line);
}

static size_t count_in(const struct table *t, const char *state)
{
    size_t i, n = 0;
    json_t *request;
    json_array_foreach (t->requests, i, request) {
        const char *is = json_string_value(json_object_get(request, "state"));
        n += is && strcmp(is, state) == 0;
    }
    return n;
}

/* "3 requests under way: 1 queued, 2 awaiting" */
static void add_summary(const struct table *t)
{
    size_t count = json_array_size(t->requests);
    const char *before = ": ";
    struct text line = {0};
    text_printf(&line, "%zu request%s under way", count, count == 1 ? "" : "s");
    for (enum progress_state i = 0; i < PROGRESS_COUNT; i++) {
        size_t n = count_in(t, progress_word(i));
        if (n)
            text_printf(&line, "%s%zu %s", before, n, progress_word(i));
        before = n ? ", " : before;
    }
    add_line(t, &line);
    text_free(&line);
}

/* The array, with those to the upstream alone (NULL: all); NULL: it is no such document. */
static json_t *requests_in(struct span document, const char *upstream, char *error, size_t size)
{
    json_error_t problem;
    json_t *o = json_loadb(document.at ? document.at : "", document.len, 0, &problem);
    json_t *all = json_object_get(o, "requests"), *meant = NULL, *request;
    size_t i;
    if (json_is_array(all))
        meant = json_array();
    else
        snprintf(error, size, "not the /requests of a trunkline: %s",
                 o ? "it lists no requests" : problem.text);
    json_array_foreach (all, i, request) {
        const char *to = json_string_value(json_object_get(request, "upstream"));
        if (meant && (upstream == NULL || (to && strcmp(to, upstream) == 0)))
            json_array_append(meant, request);
    }
    json_decref(o);
    return meant;
}

bool requests_table(struct span document, const char *upstream, const struct page_form *form,
                    struct text *out, char *error, size_t size)
{
    struct table t = {
        .requests = requests_in(document, upstream, error, size), .form = form, .out = out};
    if (t.requests == NULL)
        return false;
    add_summary(&t);
    if (json_array_size(t.requests) > 0 && (form->rows == 0 || form->rows > ROWS_BESIDE)) {
        measure(&t);
        add_rows(&t);
    }
    json_decref(t.requests);
    return true;
}

bool requests_of_upstream(struct span document, const char *upstream, struct text *out, char *error,
                          size_t size)
{
    json_t *meant = requests_in(document, upstream, error, size);
    if (meant == NULL)
        return false;
    json_t *o = json_pack("{s:o}", "requests", meant);
    char *dump = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15));
    text_add_str(out, dump);
    free(dump);
    json_decref(o);
    return true;
}
