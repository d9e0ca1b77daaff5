#include "tests/sim/book.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ENTRIES_MOST 4096

struct try_entry {
    unsigned order; /* 0: none */
    bool is_told, is_shared;
    enum book_sent told;
};

struct reading_entry {
    unsigned order, number; /* 0: not known */
    bool is_whole, is_vouched, is_replied;
};

static struct try_entry tries[ENTRIES_MOST];
static struct reading_entry readings[ENTRIES_MOST];
static unsigned orders, try_count, reading_count;
static bool dedupes;
static char heard[ENTRIES_MOST][40]; /* ids */
static unsigned heard_count;

void book_begin(bool with_dedupe)
{
    dedupes = with_dedupe;
}

unsigned book_new_order(void)
{
    return ++orders;
}

unsigned book_new_try(unsigned order)
{
    CHECK(try_count + 1 < ENTRIES_MOST);
    tries[++try_count].order = order;
    return try_count;
}

unsigned book_orders(void)
{
    return orders;
}

unsigned book_tries(void)
{
    return try_count;
}

/* ------------------------------------------------------------------------------ rules */

static enum book_sent seen_of(const struct reading_entry *r)
{
    return r->is_vouched ? BOOK_NO : r->is_whole ? BOOK_YES : BOOK_PARTIAL;
}

enum book_sent book_seen_order(unsigned order)
{
    enum book_sent most = BOOK_NO;
    for (unsigned i = 1; i <= reading_count; i++)
        if (readings[i].order == order && seen_of(&readings[i]) > most)
            most = seen_of(&readings[i]);
    return most;
}

/* A reading whose try was not read belongs to any of its order. */
enum book_sent book_seen(unsigned number)
{
    enum book_sent most = BOOK_NO;
    for (unsigned i = 1; i <= reading_count; i++)
        if (readings[i].number == number && seen_of(&readings[i]) > most)
            most = seen_of(&readings[i]);
    return most;
}

static const char *word(enum book_sent sent)
{
    return sent == BOOK_NO ? "no" : sent == BOOK_PARTIAL ? "partial" : "yes";
}

static void check_order(unsigned order)
{
    unsigned count = 0;
    for (unsigned i = 1; i <= reading_count; i++)
        count += readings[i].order == order && !readings[i].is_vouched;
    if (order && count > 1)
        world_fault("twice", "order %u reached the exchange %u times", order, count);
}

static void check_told(unsigned number)
{
    const struct try_entry *t = &tries[number];
    enum book_sent seen = book_seen(number);
    if (t->is_told && t->told < seen)
        world_fault("verdict", "try %u (order %u) was said to be sent=%s, the exchange read it: %s",
                    number, t->order, word(t->told), word(seen));
}

/* While an order may have left, no answer to a copy says less. */
static void check_copy(unsigned number)
{
    const struct try_entry *t = &tries[number];
    if (dedupes && t->order && t->told < book_seen_order(t->order))
        world_fault(
            "verdict",
            "try %u, a copy of order %u, was said to be sent=%s, the exchange has read it: %s",
            number, t->order, word(t->told), word(book_seen_order(t->order)));
}

static void check_all_told(unsigned order)
{
    for (unsigned i = 1; i <= try_count; i++)
        if (tries[i].is_told && !tries[i].is_shared && (order == 0 || tries[i].order == order))
            check_told(i);
}

/* --------------------------------------------------------------------------- entries */

static unsigned number_after(struct span target, const char *prefix)
{
    struct span p = span_of(prefix);
    return span_starts(target, p) ? (unsigned)strtoul(target.at + p.len, NULL, 10) : 0;
}

unsigned book_reading(struct span target)
{
    CHECK(reading_count + 1 < ENTRIES_MOST);
    struct reading_entry *r = &readings[++reading_count];
    r->order = number_after(target, "/o/");
    r->number = number_after(target, "/g/");
    if (r->order > orders || r->number > try_count)
        world_fault("mixed up", "the exchange read a target that was never sent: %.*s",
                    SPAN_ARG(target));
    world_say("exchange: reads %.*s", SPAN_ARG(target));
    check_order(r->order);
    check_all_told(r->order);
    return reading_count;
}

void book_reading_try(unsigned reading, unsigned number)
{
    struct reading_entry *r = &readings[reading];
    if (number == 0 || number > try_count || tries[number].order != r->order ||
        (r->number && r->number != number))
        world_fault("mixed up", "the exchange read try %u in a request of order %u", number,
                    r->order);
    r->number = number;
    check_all_told(r->order);
}

void book_read_whole(unsigned reading)
{
    struct reading_entry *r = &readings[reading];
    r->is_whole = true;
    world_say("exchange: has read try %u (order %u) whole", r->number, r->order);
    check_all_told(r->order);
}

void book_vouch(unsigned reading)
{
    readings[reading].is_vouched = true;
    world_say("exchange: vouches that it has not acted on try %u (order %u)",
              readings[reading].number, readings[reading].order);
}

void book_share(unsigned number)
{
    tries[number].is_shared = true;
}

void book_told(unsigned number, enum book_sent sent, bool is_whole)
{
    tries[number].is_told = true;
    tries[number].told = sent;
    check_told(number);
    if (is_whole)
        check_copy(number);
}

void book_journaled(unsigned order, enum book_sent most)
{
    enum book_sent seen = book_seen_order(order);
    if (most < seen)
        world_fault("journal", "order %u: the journal says sent=%s, the exchange read it: %s",
                    order, word(most), word(seen));
}

unsigned book_order_of_reading(unsigned reading)
{
    return readings[reading].order;
}

unsigned book_try_of_reading(unsigned reading)
{
    return readings[reading].number;
}

void book_reply(unsigned reading)
{
    readings[reading].is_replied = true;
}

bool book_has_replied(unsigned order)
{
    for (unsigned i = 1; i <= reading_count; i++)
        if (readings[i].order == order && readings[i].is_replied)
            return true;
    return false;
}

void book_heard(struct span id)
{
    CHECK(heard_count < ENTRIES_MOST && id.len < sizeof heard[0]);
    if (id.len)
        memcpy(heard[heard_count++], id.at, id.len);
}

bool book_has_heard(const char *id)
{
    for (unsigned i = 0; i < heard_count; i++)
        if (strcmp(heard[i], id) == 0)
            return true;
    return false;
}

void book_forget_copies(void)
{
    dedupes = false;
}
