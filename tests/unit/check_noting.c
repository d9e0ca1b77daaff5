/* An order that waits for its line in the journal, with a connection at hand, while something else
 * happens to it. The journal is a file. */
#include <stdio.h>
#include <unistd.h>

#include "proxy/order_journal.h"
#include "suite.h"
#include "transaction_fixture.h"

#define LIFE "06f3k9d2q4ab"

static char path[40];
static struct order_journal *journal;
static struct test_client order;

static struct gate *gate(void)
{
    return pool_ways(pools_find(pools, find(config, "a"), NULL))->at[0]->gate;
}

static uint64_t lines(void)
{
    struct order_journal_view v;
    order_journal_describe(journal, &v);
    return v.lines;
}

/* The start line is written, and that of an order has been given to the journal. */
static void begin_noting(void)
{
    char error[200];
    begin("max_connections = 1\norder_wait = 1m");
    warm_up();
    snprintf(path, sizeof path, "/tmp/check_noting.%d", getpid());
    journal = order_journal_new(loop, path, LIFE, (struct order_journal_rules){.required = true},
                                error, sizeof error);
    ck_assert_ptr_nonnull(journal);
    proxy_journal(proxy, journal);
    UNTIL(lines() == 1);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    ask_whole(&order, "POST", "");
    ck_assert_uint_eq(look().active, 1);
}

static void end(void)
{
    clear(&order);
    proxy_journal(proxy, NULL);
    order_journal_end(journal);
    finish();
    unlink(path);
}

START_TEST(it_leaves_when_it_is_noted)
{
    begin_noting();
    UNTIL(order.recorder.ended);
    ck_assert_uint_eq(order.recorder.status, 200);
    ck_assert_uint_eq(lines(), 3);
    end();
}
END_TEST

/* Nothing that a hold covers is sent after it. */
START_TEST(a_hold_that_begins_meanwhile_holds_it)
{
    begin_noting();
    unsigned before = origin.requests;
    gate_limit(gate(), &(struct gate_limit){.status = 418, .asked_ms = 2000});
    UNTIL(lines() == 2 && look().active == 0);
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    ck_assert_uint_eq(origin.requests, before);
    ck_assert(look().idle == 1 && !order.recorder.ended);
    gate_resume(gate());
    UNTIL(order.recorder.ended);
    ck_assert_uint_eq(order.recorder.status, 200);
    ck_assert_uint_eq(origin.requests, before + 1);
    ck_assert_uint_eq(lines(), 3); /* it began once */
    end();
}
END_TEST

SUITE()
{
    TEST(it_leaves_when_it_is_noted);
    TEST(a_hold_that_begins_meanwhile_holds_it);
}
