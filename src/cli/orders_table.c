#include "cli/orders_table.h"

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"

enum { CELL_WIDTH = 64, TIME_WIDTH = 32 };

/* The target comes last, and may be as long as it likes. */
enum column { TIME, FATE, SENT, STATUS, ERROR, UPSTREAM, BOT, IDS, ID, METHOD, COLUMNS };

struct row {
    char cells[COLUMNS][CELL_WIDTH];
    char *target;
};

struct orders_table {
    struct row *rows;
    size_t count, room;
    size_t fates[ORDER_KNOWN + 1];
};

/* "2026-11-27T09:00:00.123Z" */
static const char *time_of(int64_t us, char text[TIME_WIDTH])
{
    struct tm utc;
    time_t seconds = (time_t)(us / 1000000);
    gmtime_r(&seconds, &utc);
    size_t len = strftime(text, TIME_WIDTH, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, TIME_WIDTH - len, ".%03dZ", (int)(us % 1000000 / 1000));
    return text;
}

/* A journal that somebody else wrote is not to steer the terminal. */
static void harmless(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

static void set(struct row *r, enum column c, const char *value)
{
    snprintf(r->cells[c], CELL_WIDTH, "%s", *value ? value : "-");
    harmless(r->cells[c]);
}

/* {"cl_ord_id":"a"} as cl_ord_id=a */
static void set_ids(struct row *r, const char *ids)
{
    json_t *o = json_loads(ids, 0, NULL), *value;
    const char *key;
    struct text words = {0};
    json_object_foreach (o, key, value) {
        char *several = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT);
        text_printf(&words, "%s%s=%s", words.len ? "," : "", key,
                    several ? several : json_string_value(value));
        free(several);
    }
    set(r, IDS, words.len ? words.at : "");
    text_free(&words);
    json_decref(o);
}

struct orders_table *orders_table_new(void)
{
    return NEW(struct orders_table);
}

void orders_table_add(struct orders_table *t, const struct order_past *p)
{
    char time[TIME_WIDTH], status[16] = "";
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->rows = must_realloc(t->rows, t->room * sizeof *t->rows);
    }
    struct row *r = &t->rows[t->count++];
    if (p->status)
        snprintf(status, sizeof status, "%u", p->status);
    set(r, TIME, time_of(p->began_us, time));
    set(r, FATE, order_fate_name(p->fate));
    set(r, SENT, p->ended_us ? sent_name(p->sent) : "");
    set(r, STATUS, status);
    set(r, ERROR, p->error);
    set(r, UPSTREAM, p->upstream);
    set(r, BOT, p->bot);
    set_ids(r, p->ids);
    set(r, ID, p->id);
    set(r, METHOD, p->method);
    r->target = must_strdup(p->target);
    harmless(r->target);
    t->fates[p->fate]++;
}

static void print_row(const struct row *r, const size_t widths[COLUMNS], struct text *to)
{
    for (size_t c = 0; c < COLUMNS; c++)
        text_printf(to, "%-*s ", (int)widths[c], r->cells[c]);
    text_printf(to, "%s\n", r->target);
}

void orders_table_print(const struct orders_table *t, struct text *to)
{
    static char target[] = "target";
    struct row titles = {.cells = {"began", "fate", "sent", "status", "error", "upstream", "bot",
                                   "order ids", "id", "method"},
                         .target = target};
    size_t widths[COLUMNS];
    text_printf(to, "%zu order%s: %zu open, %zu unknown\n", t->count, t->count == 1 ? "" : "s",
                t->fates[ORDER_OPEN], t->fates[ORDER_UNKNOWN]);
    for (size_t c = 0; c < COLUMNS; c++) {
        widths[c] = strlen(titles.cells[c]);
        for (size_t i = 0; i < t->count; i++)
            if (strlen(t->rows[i].cells[c]) > widths[c])
                widths[c] = strlen(t->rows[i].cells[c]);
    }
    if (t->count)
        print_row(&titles, widths, to);
    for (size_t i = 0; i < t->count; i++)
        print_row(&t->rows[i], widths, to);
}

void orders_table_free(struct orders_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->rows[i].target);
    free(t->rows);
    free(t);
}

static json_t *optional(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static int append(const char *data, size_t len, void *to)
{
    text_add(to, (struct span){data, len});
    return 0;
}

void orders_json_add(struct text *to, const struct order_past *p)
{
    char began[TIME_WIDTH], ended[TIME_WIDTH];
    bool ends = p->ended_us != 0;
    json_t *ids = json_loads(p->ids, 0, NULL);
    json_t *o =
        json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "t",
                  time_of(p->began_us, began), "id", p->id, "fate", order_fate_name(p->fate),
                  "upstream", optional(p->upstream), "bot", optional(p->bot), "client",
                  optional(p->client), "method", optional(p->method), "target", optional(p->target),
                  "order_ids", ids ? ids : json_object(), "digest", optional(p->digest), "ended",
                  ends ? json_string(time_of(p->ended_us, ended)) : json_null(), "sent",
                  ends ? json_string(sent_name(p->sent)) : json_null(), "status",
                  p->status ? json_integer((json_int_t)p->status) : json_null(), "error",
                  optional(p->error), "left", ends ? json_boolean(p->left) : json_null(),
                  "total_ms", ends ? json_real(p->total_ms) : json_null());
    json_dump_callback(o, append, to, JSON_COMPACT | JSON_REAL_PRECISION(12));
    text_add(to, SPAN("\n"));
    json_decref(o);
}
