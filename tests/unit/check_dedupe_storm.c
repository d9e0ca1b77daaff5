/* Orders and copies that come, go, end and leave at random: of each order one goes at a time, and none
 * again within its time, unless it had not been sent. */
#include "dedupe_fixture.h"
#include "storm.h"

#define PARTIES 40
#define ORDERS 5

static struct party parties[PARTIES];
static unsigned order_of[PARTIES];
static bool is_first[PARTIES];
static unsigned seen_turns[PARTIES];
static struct party *goes[ORDERS];
static uint64_t closed_until[ORDERS]; /* nobody may go before */
static unsigned gone, fates;

/* A party goes: no other one of its order does, and none that may have left did lately. */
static void note_going(unsigned i)
{
    unsigned n = order_of[i];
    ck_assert_ptr_null(goes[n]);
    ck_assert_uint_ge(loop_now(loop), closed_until[n]);
    goes[n] = &parties[i];
    is_first[i] = true;
    gone++;
}

static void end_first(unsigned i)
{
    struct party *p = &parties[i];
    unsigned n = order_of[i];
    goes[n] = NULL;
    is_first[i] = false;
    closed_until[n] = loop_now(loop) + WITHIN;
    switch (draw(5)) {
    case 0: be_answered(p, 0, draw(100)); break;
    case 1:
        dedupe_answered(&p->claim, 0, 200, NULL);
        p->in = false;
        break;
    case 2: be_lost(p, FAILURE_HTTP_RESPONSE_TIMEOUT, draw(2) ? SENT_YES : SENT_PARTIAL); break;
    default: closed_until[n] = 0; be_lost(p, FAILURE_NONE, SENT_NO);
    }
}

static void watch_turns(void)
{
    for (unsigned i = 0; i < PARTIES; i++)
        if (parties[i].turns > seen_turns[i]) {
            seen_turns[i] = parties[i].turns;
            note_going(i);
        }
}

static void begin_party(unsigned i)
{
    char name[20];
    snprintf(name, sizeof name, "p%u", i);
    fates += parties[i].fates;
    order_of[i] = draw(ORDERS);
    seen_turns[i] = 0;
    if (enter_as(&parties[i], name, "x", order_of[i]) == DEDUPE_FIRST)
        note_going(i);
    parties[i].late = one_in(6);
}

static void one_round(void)
{
    unsigned i = draw(PARTIES);
    struct party *p = &parties[i];
    if (!p->in) {
        begin_party(i);
    } else if (is_first[i]) {
        if (one_in(3))
            end_first(i);
    } else if (one_in(8)) {
        dedupe_leave(&p->claim);
        p->in = false;
    }
    if (one_in(3)) {
        turn();
        watch_turns();
    }
    if (one_in(20)) {
        turn();
        watch_turns();
        loop_skip(loop, draw(WITHIN));
        watch_turns();
    }
}

static void check_parties(void)
{
    for (unsigned i = 0; i < PARTIES; i++) {
        const struct party *p = &parties[i];
        ck_assert_uint_le(p->fates + p->lates, 1);
        ck_assert_int_eq(p->in, p->claim.record != NULL);
    }
    ck_assert_uint_le(dedupe_count(dedupe), ORDERS);
}

START_TEST(test_storm)
{
    storm_seed(_i);
    memset(parties, 0, sizeof parties);
    memset(is_first, 0, sizeof is_first);
    memset(goes, 0, sizeof goes);
    memset(closed_until, 0, sizeof closed_until);
    gone = fates = 0;
    storm(4000, one_round, check_parties);
    ck_assert_uint_gt(gone, 100);
    ck_assert_uint_gt(fates, 100);
    for (unsigned i = 0; i < PARTIES; i++)
        if (parties[i].in && !is_first[i])
            dedupe_leave(&parties[i].claim);
    turn();
    for (unsigned i = 0; i < PARTIES; i++)
        if (is_first[i])
            be_lost(&parties[i], FAILURE_NONE, SENT_NO);
}
END_TEST

SUITE()
{
    FIXTURE(start, stop);
    STORM(test_storm, 6);
}
