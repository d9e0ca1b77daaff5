#include "cli/stats_cell.h"

#include <stdio.h>

json_t *at_path(json_t *o, const char *path)
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

double number_at(json_t *o, const char *path)
{
    return json_number_value(at_path(o, path));
}

void format_string(char *cell, const json_t *value)
{
    snprintf(cell, CELL_SIZE, "%s", json_is_string(value) ? json_string_value(value) : "-");
    for (char *p = cell; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

void format_count(char *cell, double n)
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

void format_share(char *cell, double part, double whole)
{
    if (whole > 0)
        snprintf(cell, CELL_SIZE, "%.1f", (double)(uint64_t)(part * 1000 / whole) / 10);
    else
        snprintf(cell, CELL_SIZE, "-");
}

void format_ms(char *cell, double ms)
{
    snprintf(cell, CELL_SIZE, "%.*f", ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
}

double sum_at(json_t *o, const char *path)
{
    double sum = 0;
    const char *key;
    json_t *count;
    json_object_foreach (at_path(o, path), key, count) {
        sum += json_number_value(count);
    }
    return sum;
}

void format_uptime(struct text *out, double seconds)
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

void format_age(char *cell, double ms)
{
    struct text age = {0};
    if (ms < 1000)
        text_printf(&age, "%.0fms", ms);
    else if (ms < 60000)
        text_printf(&age, "%.1fs", ms / 1000);
    else
        format_uptime(&age, ms / 1000);
    snprintf(cell, CELL_SIZE, "%s", age.at);
    text_free(&age);
}
