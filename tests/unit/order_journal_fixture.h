/* An order journal whose file is a fake (order_disk.h), and orders that wait for their lines in it.
 * Fixture of the tests of order_journal. */
#pragma once

#include "proxy/order_journal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "order_disk.h"
#include "proxy/order_file.h"
#include "proxy/order_other.h"
#include "suite.h"
#include "until.h"

static struct loop *loop;
static struct order_journal *journal;
static struct list leaving;

struct order {
    struct order_entry *entry;
    int begun, ended; /* how often it was told */
    struct verdict why;
    bool refused;
};

static inline struct order_journal *new_journal(const char *path, bool required, bool sync)
{
    char error[200];
    struct order_journal_rules rules = {.required = required, .sync = sync};
    struct order_journal *j = order_journal_new(loop, path, LIFE, rules, error, sizeof error);
    ck_assert_ptr_nonnull(j);
    return j;
}

/* The disk is new, also after a test in the same process. */
static inline void begin(void)
{
    text_clear(&content);
    at_once = begun = 0;
    sync_error = opened = closed = given_up = appends = 0;
    syncs_left = -1;
    stopped = stops_again = moved = false;
    uv_mutex_init(&disk);
    uv_cond_init(&disk_moves);
    loop = loop_new();
    loop_hold(loop);
    list_init(&leaving);
    journal = new_journal("/orders", true, false);
}

static inline void finish(void)
{
    set_disk(SIZE_MAX, 0, false);
    if (journal)
        order_journal_end(journal);
    loop_run(loop);
    loop_free(loop);
    ck_assert_int_eq(opened, closed);
}

static inline void on_begun(void *owner, const struct verdict *why)
{
    struct order *o = owner;
    o->begun++;
    o->refused = why != NULL;
    if (why)
        o->why = *why;
}

static inline void on_ended(void *owner)
{
    struct order *o = owner;
    o->ended++;
}

#define DIGEST "00112233445566778899aabbccddeeff"

static inline bool start(struct order *o, int number)
{
    struct request_id id;
    snprintf(id.text, sizeof id.text, LIFE "-%d", number);
    const struct order_begin b = {.id = &id,
                                  .upstream = "kraken",
                                  .client = "127.0.0.1:5",
                                  .method = SPAN("POST"),
                                  .target = SPAN("/order"),
                                  .digest = DIGEST};
    *o = (struct order){.entry = order_journal_enter(journal, &id)};
    return order_entry_begin(o->entry, &b, on_begun, o);
}

static inline void end(struct order *o, enum sent sent)
{
    order_entry_end(o->entry, &(struct record){.sent = sent, .status = 200});
}

static inline bool answer(struct order *o)
{
    return order_entry_await(o->entry, on_ended, o);
}

static inline void describe(struct order_journal_view *v)
{
    order_journal_describe(journal, v);
}

/* Everything is told of that will be for now. */
static inline void settle(void)
{
    struct order_journal_view v;
    for (int i = 0; i < 3; i++)
        loop_turn(loop, false);
    UNTIL((describe(&v), v.waiting == 0 || v.error));
}
