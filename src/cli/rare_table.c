#include "cli/rare_table.h"

#include <stdio.h>

#include "cli/stats_cell.h"

struct table {
    json_t *branches;
    bool all;
    int name_width, place_width;
};

static bool is_shown(const struct table *t, json_t *branch)
{
    return t->all || number_at(branch, "count") > 0;
}

static void widen(int *width, const char *cell)
{
    int len = (int)strlen(cell);
    if (len > *width)
        *width = len;
}

static size_t measure(struct table *t)
{
    size_t i, shown = 0;
    json_t *branch;
    widen(&t->name_width, "rare branch");
    widen(&t->place_width, "place");
    json_array_foreach (t->branches, i, branch) {
        char name[CELL_SIZE], place[CELL_SIZE];
        if (!is_shown(t, branch))
            continue;
        format_string(name, at_path(branch, "name"));
        format_string(place, at_path(branch, "place"));
        widen(&t->name_width, name);
        widen(&t->place_width, place);
        shown++;
    }
    return shown;
}

static void add_row(struct text *out, const struct table *t, const char *name, const char *place,
                    const char *count)
{
    text_printf(out, "%-*s %-*s %6s\n", t->name_width, name, t->place_width, place, count);
}

static void add_rows(struct text *out, const struct table *t)
{
    size_t i;
    json_t *branch;
    add_row(out, t, "rare branch", "place", "count");
    json_array_foreach (t->branches, i, branch) {
        char name[CELL_SIZE], place[CELL_SIZE], count[CELL_SIZE];
        format_string(name, at_path(branch, "name"));
        format_string(place, at_path(branch, "place"));
        format_count(count, number_at(branch, "count"));
        if (is_shown(t, branch))
            add_row(out, t, name, place, count);
    }
}

bool rare_table(struct span document, bool all, struct text *out, char *error, size_t size)
{
    json_error_t problem;
    json_t *o = json_loadb(document.at ? document.at : "", document.len, 0, &problem);
    struct table t = {.branches = json_object_get(o, "rare"), .all = all};
    bool fine = json_is_array(t.branches);
    if (!fine)
        snprintf(error, size, "not the /stats?rare of a trunkline: %s",
                 o ? "it lists no rare branches" : problem.text);
    else if (measure(&t) > 0)
        add_rows(out, &t);
    else
        text_add(out, SPAN("no rare branch was taken since the start\n"));
    json_decref(o);
    return fine;
}
