#include "tests/sim/journal.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "proxy/order_history.h"
#include "tests/sim/book.h"

#define ORDERS_MOST 4096
#define LINE_MOST 4096

struct entry {
    char id[40];
    unsigned order;
    bool has_end, is_unknown, has_answer;
};

static struct entry entries[ORDERS_MOST];
static size_t entry_count;
static unsigned torn, orphans; /* lines that were cut off; ends without a begin */
static char life[40];          /* the last one's */
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
    *e = (struct entry){0};
    CHECK(entry_count < ORDERS_MOST);
    snprintf(e->id, sizeof e->id, "%s", text_of(line, "id"));
    const char *number = strstr(text_of(line, "target"), "/o/");
    e->order = number ? (unsigned)strtoul(number + 3, NULL, 10) : 0;
    if (e->order < ORDERS_MOST)
        has_begin[e->order] = true;
}

static struct entry *find(const char *id)
{
    struct entry *e = entries;
    while (e < entries + entry_count && strcmp(e->id, id) != 0)
        e++;
    return e < entries + entry_count ? e : NULL;
}

static void use_end(const json_t *line)
{
    const char *id = text_of(line, "id"), *sent = text_of(line, "sent");
    enum book_sent is = strcmp(sent, "no") == 0    ? BOOK_NO
                        : strcmp(sent, "yes") == 0 ? BOOK_YES
                                                   : BOOK_PARTIAL;
    struct entry *e = find(id);
    if (e == NULL) {
        world_say("journal: an end without a begin: %s", id);
        orphans++;
        return;
    }
    if (e->has_end)
        world_fault("journal", "two ends of %s", id);
    e->has_end = true;
    e->is_unknown = json_is_true(json_object_get(line, "unknown"));
    json_int_t status = json_integer_value(json_object_get(line, "status"));
    e->has_answer = *text_of(line, "error") == '\0' && status &&
                    status != 408; /* which an origin sends unasked */
    if (is > most_of[e->order])
        most_of[e->order] = is;
}

static void use(const char *text)
{
    json_t *line = json_loads(text, 0, NULL);
    if (line == NULL) {
        world_say("journal: no JSON: %s", text);
        torn++;
        return;
    }
    const char *event = text_of(line, "ev");
    if (strcmp(event, "start") == 0)
        snprintf(life, sizeof life, "%s", text_of(line, "life"));
    else if (strcmp(event, "begin") == 0)
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

/* ------------------------------------------------------------------------------- rules */

static bool is_of_last_life(const struct entry *e)
{
    return strncmp(e->id, life, strlen(life)) == 0;
}

static void check_entry(const struct entry *e, const struct journal_terms *t)
{
    if (!e->has_end && !t->lacks_ends && is_of_last_life(e))
        world_fault("journal", "order %u has a begin and no end", e->order);
    if (!e->has_end && !t->lacks_ends && book_has_heard(e->id))
        world_fault("journal", "order %u has no end, and a client its answer", e->order);
    if (e->has_answer && !book_has_replied(e->order))
        world_fault("journal", "order %u ended with an answer that nobody gave", e->order);
    if (!e->has_end && most_of[e->order] < BOOK_YES)
        most_of[e->order] = BOOK_YES;
}

static bool is_listed(unsigned order)
{
    for (size_t i = 0; i < entry_count; i++)
        if (entries[i].order == order && (entries[i].is_unknown || !entries[i].has_end))
            return true;
    return false;
}

static void check_order(unsigned order)
{
    bool was_seen = book_seen_order(order) != BOOK_NO;
    if (was_seen && !has_begin[order])
        world_fault("journal", "order %u reached the exchange without a line", order);
    if (was_seen && !book_has_replied(order) && !is_listed(order))
        world_fault("journal", "order %u is open at the exchange, and not unknown", order);
    if (has_begin[order])
        book_journaled(order, most_of[order]);
}

/* What trunkline itself makes of the file (the command `orders`). */
static void check_past(void *context, const struct order_past *p)
{
    const struct entry *e = find(p->id);
    size_t *count = context;
    ++*count;
    bool is_unknown = e && (e->is_unknown || !e->has_end);
    if (e == NULL || (p->fate != ORDER_KNOWN) != is_unknown)
        world_fault("journal", "%s is %s to trunkline's reader", p->id, order_fate_name(p->fate));
    if (p->fate == ORDER_UNKNOWN && p->ended_us && p->sent == SENT_NO)
        world_fault("journal", "%s is unknown, and was not sent", p->id);
}

static void check_reader(const char *path)
{
    const struct order_wish all = {0};
    struct order_history *h = order_history_new(&all);
    char error[200];
    size_t count = 0;
    if (!order_history_read(h, path, error, sizeof error))
        world_fault("journal", "%s", error);
    order_history_each(h, check_past, &count);
    if (count != entry_count)
        world_fault("journal", "trunkline reads %zu orders in it, not %zu", count, entry_count);
    order_history_free(h);
}

void journal_judge(const char *path, const struct journal_terms *t)
{
    entry_count = torn = orphans = 0;
    memset(most_of, 0, sizeof most_of);
    memset(has_begin, 0, sizeof has_begin);
    read_all(path);
    if (torn > t->torn)
        world_fault("journal", "%u lines that are no JSON, %u may be", torn, t->torn);
    if (orphans > torn)
        world_fault("journal", "%u ends without a begin, %u lines were cut off", orphans, torn);
    for (size_t i = 0; i < entry_count; i++)
        check_entry(&entries[i], t);
    for (unsigned order = 1; !t->lacks_begins && order <= book_orders(); order++)
        check_order(order);
    check_reader(path);
}
