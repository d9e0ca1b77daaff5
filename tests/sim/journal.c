#include "tests/sim/journal.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/book.h"

#define ORDERS_MOST 4096
#define LINE_MOST 4096

struct entry {
    char id[40];
    unsigned order;
    bool has_end;
};

static struct entry entries[ORDERS_MOST];
static size_t entry_count;
static enum book_sent most_of[ORDERS_MOST];
static bool has_begin[ORDERS_MOST];

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));
    return text ? text : "";
}

static void use_begin(const json_t *line)
{
    struct entry *e = &entries[entry_count++];
    CHECK(entry_count < ORDERS_MOST);
    snprintf(e->id, sizeof e->id, "%s", text_of(line, "id"));
    const char *number = strstr(text_of(line, "target"), "/o/");
    e->order = number ? (unsigned)strtoul(number + 3, NULL, 10) : 0;
    if (e->order < ORDERS_MOST)
        has_begin[e->order] = true;
}

static void use_end(const json_t *line)
{
    const char *id = text_of(line, "id"), *sent = text_of(line, "sent");
    enum book_sent is = strcmp(sent, "no") == 0    ? BOOK_NO
                        : strcmp(sent, "yes") == 0 ? BOOK_YES
                                                   : BOOK_PARTIAL;
    struct entry *e = entries;
    while (e < entries + entry_count && strcmp(e->id, id) != 0)
        e++;
    if (e == entries + entry_count) {
        world_fault("journal", "an end without a begin: %s", id);
        return;
    }
    if (e->has_end)
        world_fault("journal", "two ends of %s", id);
    e->has_end = true;
    if (is > most_of[e->order])
        most_of[e->order] = is;
}

static void use(const char *text)
{
    json_t *line = json_loads(text, 0, NULL);
    if (line == NULL) {
        world_fault("journal", "a line that is no JSON: %s", text);
        return;
    }
    const char *event = text_of(line, "ev");
    if (strcmp(event, "begin") == 0)
        use_begin(line);
    else if (strcmp(event, "end") == 0)
        use_end(line);
    json_decref(line);
}

static void read_all(const char *path)
{
    char line[LINE_MOST];
    FILE *in = fopen(path, "r");
    if (in == NULL)
        return;
    while (fgets(line, sizeof line, in))
        use(line);
    fclose(in);
}

void journal_judge(const char *path)
{
    read_all(path);
    for (size_t i = 0; i < entry_count; i++)
        if (!entries[i].has_end)
            world_fault("journal", "order %u has a begin and no end", entries[i].order);
    for (unsigned order = 1; order <= book_orders() && order < ORDERS_MOST; order++) {
        if (book_seen_order(order) != BOOK_NO && !has_begin[order])
            world_fault("journal", "order %u reached the exchange without a line", order);
        if (has_begin[order])
            book_journaled(order, most_of[order]);
    }
}
