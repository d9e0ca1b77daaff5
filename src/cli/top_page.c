#include "cli/top_page.h"

#include <stdio.h>

#include "cli/stats_cell.h"

#define ROWS_BESIDE 2 /* the summary, the titles */
#define COLUMNS_MAX 14

/* How the value at `path` is shown and compared: a word; a word of any length, which comes last;
 * a count; milliseconds, as an age or as they are; the last of an array of milliseconds; how
 * fast a count, or the sum of an object of counts, grows. */
enum kind { WORD, REST, COUNT, AGE, MS, LAST_MS, RATE, RATE_OF_SUM };

struct column {
    const char *title, *path; /* title NULL: the end */
    enum kind kind;
};

static const struct view {
    const char *name, *path; /* the name is also the key of the array in the document */
    const char *upstream;    /* the key of the upstream's name in an element */
    struct top_order order;
    struct column columns[COLUMNS_MAX];
} views[] = {
    [TOP_REQUESTS] = {"requests",
                      "/requests",
                      "upstream",
                      {0, true},
                      {{"age", "age_ms", AGE},
                       {"state", "state", WORD},
                       {"sent", "sent", WORD},
                       {"upstream", "upstream", WORD},
                       {"line", "line", COUNT},
                       {"bot", "bot", WORD},
                       {"client", "client", WORD},
                       {"method", "method", WORD},
                       {"target", "target", REST},
                       {0}}},
    [TOP_CONNECTIONS] = {"connections",
                         "/connections",
                         "upstream",
                         {5, true},
                         {{"line", "line", COUNT},
                          {"upstream", "upstream", WORD},
                          {"state", "state", WORD},
                          {"protocol", "protocol", WORD},
                          {"age", "age_ms", AGE},
                          {"active", "active", COUNT},
                          {"reqs", "requests", COUNT},
                          {"idle", "idle_ms", AGE},
                          {"address", "address", REST},
                          {0}}},
    [TOP_UPSTREAMS] = {"upstreams",
                       "/stats?recent",
                       "name",
                       {6, true},
                       {{"upstream", "name", WORD},
                        {"state", "state", WORD},
                        {"open", "connections.open", COUNT},
                        {"idle", "connections.idle", COUNT},
                        {"busy", "connections.active", COUNT},
                        {"wait", "queue.waiting", COUNT},
                        {"req/s", "requests.total", RATE},
                        {"err/s", "requests.errors", RATE_OF_SUM},
                        {"p50", "recent.p50_ms", LAST_MS},
                        {"p99", "recent.p99_ms", LAST_MS},
                        {"opened/s", "connections.opened", RATE},
                        {"unknown", "requests.unknown", COUNT},
                        {0}}},
};

struct row {
    json_t *now, *before; /* before: the same upstream in the document before; NULL: none */
    double number;        /* what it is sorted by; below 0: not known */
    const char *word;     /* instead, for words */
    size_t place;         /* in the document */
    int direction;        /* 1, or -1 for descending */
};

struct page {
    const struct view *view;
    const struct page_form *form;
    double seconds; /* between both documents; 0: there are no rates */
    struct row *rows;
    size_t count;
    size_t widths[COLUMNS_MAX];
    struct text *out;
};

static size_t columns_of(const struct view *v)
{
    size_t n = 0;
    while (v->columns[n].title)
        n++;
    return n;
}

/* ---------------------------------------------------------------- which table, and how */

void top_init(struct top *t)
{
    *t = (struct top){.view = TOP_REQUESTS};
    for (size_t i = 0; i < TOP_VIEW_COUNT; i++)
        t->order[i] = views[i].order;
}

bool top_show(struct top *t, const char *name)
{
    for (enum top_view i = 0; i < TOP_VIEW_COUNT; i++)
        if (strcmp(name, views[i].name) == 0) {
            t->view = i;
            return true;
        }
    return false;
}

static bool is_word(enum kind kind)
{
    return kind == WORD || kind == REST;
}

/* Numbers are sorted from the largest, words from a to z. */
static void sort_by(struct top *t, size_t column)
{
    t->order[t->view] = (struct top_order){
        .column = column, .descending = !is_word(views[t->view].columns[column].kind)};
}

bool top_sort(struct top *t, const char *title, struct text *titles)
{
    const struct column *columns = views[t->view].columns;
    for (size_t i = 0; columns[i].title; i++) {
        if (titles)
            text_printf(titles, "%s%s", i ? ", " : "", columns[i].title);
        if (strcmp(columns[i].title, title) != 0)
            continue;
        if (i == t->order[t->view].column)
            t->order[t->view].descending = !t->order[t->view].descending;
        else
            sort_by(t, i);
        return true;
    }
    return false;
}

const char *top_path(const struct top *t)
{
    return views[t->view].path;
}

bool top_key(struct top *t, char key)
{
    struct top_order *order = &t->order[t->view];
    size_t columns = columns_of(&views[t->view]);
    bool helped = t->helps;
    t->helps = false;
    switch (key) {
    case '1':
    case '2':
    case '3': t->view = (enum top_view)(key - '1'); break;
    case '\t': t->view = (t->view + 1) % TOP_VIEW_COUNT; break;
    case '<': sort_by(t, (order->column + columns - 1) % columns); break;
    case '>': sort_by(t, (order->column + 1) % columns); break;
    case 'r': order->descending = !order->descending; break;
    case 'h':
    case '?': t->helps = !helped; break;
    default: return helped;
    }
    return true;
}

/* ---------------------------------------------------------------- values */

static double last_number(json_t *array)
{
    json_t *newest = json_array_get(array, json_array_size(array) - 1);
    return json_is_number(newest) ? json_number_value(newest) : -1;
}

/* Below 0: it is not known. */
static double number_of(const struct page *p, const struct row *r, const struct column *c)
{
    json_t *value = at_path(r->now, c->path);
    switch (c->kind) {
    case LAST_MS: return last_number(value);
    case RATE:
    case RATE_OF_SUM: break;
    default: return json_is_number(value) ? json_number_value(value) : -1;
    }
    double now = c->kind == RATE ? number_at(r->now, c->path) : sum_at(r->now, c->path);
    double before = c->kind == RATE ? number_at(r->before, c->path) : sum_at(r->before, c->path);
    return p->seconds > 0 && now >= before ? (now - before) / p->seconds : -1;
}

static void format_number(char *cell, enum kind kind, double n)
{
    if (n < 0)
        snprintf(cell, CELL_SIZE, "-");
    else if (kind == AGE)
        format_age(cell, n);
    else if (kind == MS || kind == LAST_MS)
        format_ms(cell, n);
    else if (kind != COUNT && n < 99.95)
        snprintf(cell, CELL_SIZE, "%.1f", n);
    else
        format_count(cell, n);
}

static void format_cell(const struct page *p, const struct row *r, const struct column *c,
                        char *cell)
{
    if (is_word(c->kind))
        format_string(cell, at_path(r->now, c->path));
    else
        format_number(cell, c->kind, number_of(p, r, c));
}

/* ---------------------------------------------------------------- rows */

static json_t *same_in(json_t *before, const struct view *v, json_t *element)
{
    json_t *name = json_object_get(element, v->upstream), *other;
    size_t i;
    json_array_foreach (json_object_get(before, v->name), i, other) {
        if (name && json_equal(json_object_get(other, v->upstream), name))
            return other;
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int found = 0;
    if (x->word || y->word)
        found = strcmp(x->word ? x->word : "", y->word ? y->word : "");
    else if (x->number < y->number || x->number > y->number)
        found = x->number < y->number ? -1 : 1;
    return found ? found * x->direction : x->place < y->place ? -1 : 1;
}

/* Rates compare upstreams only: a request has nothing that grows. */
static void make_rows(struct page *p, const struct top *t, json_t *before, json_t *now)
{
    const struct top_order *order = &t->order[t->view];
    const struct column *by = &p->view->columns[order->column];
    json_t *array = json_object_get(now, p->view->name), *element;
    size_t i;
    p->rows = must_calloc(json_array_size(array) + 1, sizeof *p->rows);
    json_array_foreach (array, i, element) {
        const char *upstream = json_string_value(json_object_get(element, p->view->upstream));
        if (t->upstream && (upstream == NULL || strcmp(upstream, t->upstream) != 0))
            continue;
        struct row *r = &p->rows[p->count++];
        *r = (struct row){.now = element, .place = i, .direction = order->descending ? -1 : 1};
        if (t->view == TOP_UPSTREAMS)
            r->before = same_in(before, p->view, element);
        if (is_word(by->kind))
            r->word = json_string_value(at_path(element, by->path));
        else
            r->number = number_of(p, r, by);
    }
    qsort(p->rows, p->count, sizeof *p->rows, compare);
}

/* ---------------------------------------------------------------- lines */

/* Cut to the form's width, and empties it. `style` NULL: none (ECMA-48 SGR). */
static void add_line(const struct page *p, struct text *line, const char *style)
{
    size_t most = p->form->columns ? p->form->columns : line->len;
    struct span shown = span_first(text_span(line), line->len < most ? line->len : most);
    if (style && p->form->colours)
        text_printf(p->out, "\033[%sm%.*s\033[0m\n", style, SPAN_ARG(shown));
    else
        text_printf(p->out, "%.*s\n", SPAN_ARG(shown));
    text_clear(line);
}

static size_t shown(const struct page *p)
{
    size_t rows = p->form->rows;
    if (rows == 0 || p->count + ROWS_BESIDE <= rows)
        return p->count;
    return rows > ROWS_BESIDE + 1 ? rows - ROWS_BESIDE - 1 : 0;
}

static void measure(struct page *p)
{
    for (size_t c = 0; p->view->columns[c].title; c++) {
        p->widths[c] = strlen(p->view->columns[c].title);
        for (size_t i = 0; i < shown(p); i++) {
            char cell[CELL_SIZE];
            format_cell(p, &p->rows[i], &p->view->columns[c], cell);
            if (strlen(cell) > p->widths[c])
                p->widths[c] = strlen(cell);
        }
    }
}

static void add_cell(const struct page *p, struct text *line, size_t c, const char *cell)
{
    const struct column *column = &p->view->columns[c];
    int width = column->kind == REST ? 0 : (int)p->widths[c];
    text_printf(line, "%s%*s", c ? " " : "", is_word(column->kind) ? -width : width, cell);
}

/* A word of any length, none of whose characters reaches the terminal as a control. */
static void add_rest(struct text *line, json_t *value)
{
    const char *word = json_string_value(value);
    text_add(line, SPAN(" "));
    size_t from = line->len;
    text_add_str(line, word ? word : "-");
    for (char *p = line->at + from; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

static void add_summary(const struct page *p, const struct top *t, const char *version)
{
    const struct top_order *order = &t->order[t->view];
    struct text line = {0};
    text_printf(&line, "%s: %zu%s%s, by %s%s", p->view->name, p->count, t->upstream ? " of " : "",
                t->upstream ? t->upstream : "", p->view->columns[order->column].title,
                order->descending ? ", descending" : "");
    if (p->form->rows)
        text_add(&line, SPAN("   (h for help)"));
    else if (version)
        text_printf(&line, " (trunkline %s)", version);
    add_line(p, &line, NULL);
    text_free(&line);
}

static const char *style_of(const struct row *r)
{
    const char *state = json_string_value(json_object_get(r->now, "state"));
    static const char *const bad[] = {"open", "held", "paused", "frozen", "draining", "doubted"};
    for (size_t i = 0; state && i < COUNT_OF(bad); i++)
        if (strcmp(state, bad[i]) == 0)
            return "31";
    return NULL;
}

static void add_row(const struct page *p, struct text *line, const struct row *r)
{
    for (size_t c = 0; p->view->columns[c].title; c++) {
        char cell[CELL_SIZE];
        const struct column *column = &p->view->columns[c];
        if (column->kind == REST) {
            add_rest(line, at_path(r->now, column->path));
            continue;
        }
        format_cell(p, r, column, cell);
        add_cell(p, line, c, cell);
    }
}

static void add_table(struct page *p, size_t sorted_by)
{
    struct text line = {0};
    measure(p);
    for (size_t c = 0; p->view->columns[c].title; c++) {
        char title[CELL_SIZE];
        snprintf(title, sizeof title, "%s", p->view->columns[c].title);
        if (c == sorted_by) /* in capitals, so that it can be seen without colours */
            for (char *s = title; *s; s++)
                *s = (char)(*s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s);
        add_cell(p, &line, c, title);
    }
    add_line(p, &line, "1");
    for (size_t i = 0; i < shown(p); i++) {
        add_row(p, &line, &p->rows[i]);
        add_line(p, &line, style_of(&p->rows[i]));
    }
    if (shown(p) < p->count)
        text_printf(p->out, "… %zu more\n", p->count - shown(p));
    text_free(&line);
}

static void add_help(const struct page *p)
{
    static const char *const lines[] = {"1 requests   2 connections   3 upstreams   Tab the next",
                                        "< >  sort by the column before or after",
                                        "r    reverse the order", "h ?  this help, and back",
                                        "q    quit"};
    for (size_t i = 0; i < COUNT_OF(lines) && (p->form->rows == 0 || i < p->form->rows); i++) {
        struct text line = {0};
        text_add_str(&line, lines[i]);
        add_line(p, &line, NULL);
        text_free(&line);
    }
}

/* Are both documents of the same run of the daemon? Then the time between them; otherwise 0. */
static double seconds_between(json_t *before, json_t *now)
{
    double from = number_at(before, "uptime_s"), to = number_at(now, "uptime_s");
    bool goes_on = before && number_at(before, "pid") == number_at(now, "pid") && from < to;
    return goes_on ? to - from : 0;
}

static void make_page(struct page *p, const struct top *t, json_t *before, json_t *now)
{
    if (t->helps) {
        add_help(p);
        return;
    }
    p->seconds = seconds_between(before, now);
    make_rows(p, t, before, now);
    add_summary(p, t, json_string_value(json_object_get(now, "version")));
    if (p->form->rows == 0 || p->form->rows > ROWS_BESIDE)
        add_table(p, t->order[t->view].column);
    free(p->rows);
}

bool top_page(const struct top *t, struct span before, struct span now,
              const struct page_form *form, struct text *out, char *error, size_t size)
{
    json_error_t problem;
    struct page p = {.view = &views[t->view], .form = form, .out = out};
    json_t *document = json_loadb(now.at ? now.at : "", now.len, 0, &problem);
    json_t *older = before.len ? json_loadb(before.at, before.len, 0, NULL) : NULL;
    bool fine = json_is_array(json_object_get(document, p.view->name));
    if (fine)
        make_page(&p, t, older, document);
    else
        snprintf(error, size, "not the %s of a trunkline: %s", p.view->path,
                 document ? "the document lists none" : problem.text);
    json_decref(older);
    json_decref(document);
    return fine;
}
