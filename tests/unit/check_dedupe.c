/* Orders and their copies: one of them goes at a time, the others hear what became of it, and none is
 * forgotten within its time. */
#include "dedupe_fixture.h"
#include "until.h"

static struct party a, b, c;

START_TEST(a_copy_hears_the_answer)
{
    first(&a, "a");
    copy(&b, "b");
    ck_assert_str_eq(dedupe_id(&b.claim)->text, "a");
    be_answered(&a, 30, 2);
    ck_assert_uint_eq(b.fates, 0); /* not from within that call */
    copy(&c, "c");
    turn();
    ck_assert(b.fates == 1 && c.fates == 1 && b.got_answer && c.got_answer);
    ck_assert(b.status == 200 && b.age_ms == 30 && b.fate_sent == SENT_YES);
    ck_assert_str_eq(b.told_id, "a");
    loop_skip(loop, 500);
    copy(&b, "b");
    turn();
    ck_assert(b.fates == 1 && b.age_ms == 530 && b.got_answer);
}
END_TEST

/* The same order again, where no time counts: the record of the one before is forgotten. */
static void order_again(const struct dedupe_fate *f)
{
    static const struct dedupe_events events = {on_fate, on_turn, on_late, sent, may_stop};
    struct order_digest d = digest(1);
    c = (struct party){.in = true};
    strcpy(c.id.text, "third");
    c.claim = (struct dedupe_claim){.events = &events, .owner = &c, .id = &c.id};
    ck_assert_int_eq(dedupe_enter(dedupe, &c.claim, "x", &d, 0), DEDUPE_FIRST);
    ck_assert_str_eq(f->id->text, "first"); /* what is told is still there */
    ck_assert(f->answer && kept_answer_size(f->answer) >= 100);
}

START_TEST(an_order_is_forgotten_while_its_copy_is_told)
{
    first(&a, "first");
    copy(&b, "second");
    b.then = order_again;
    be_answered(&a, 0, 100);
    loop_turn(loop, false);
    ck_assert_uint_eq(b.fates, 1);
    ck_assert(c.in && c.fates == 0);
    ck_assert_uint_eq(dedupe_count(dedupe), 1);
    dedupe_lost(&c.claim, 0, 0, FAILURE_NONE, SENT_NO);
    c.in = false;
}
END_TEST

START_TEST(other_orders_are_no_copies)
{
    first(&a, "a");
    ck_assert_int_eq(enter_as(&b, "b", "x", 2), DEDUPE_FIRST);
    ck_assert_int_eq(enter_as(&c, "c", "y", 1), DEDUPE_FIRST);
    ck_assert_uint_eq(dedupe_count(dedupe), 3);
    be_lost(&a, FAILURE_NONE, SENT_NO);
    be_lost(&b, FAILURE_NONE, SENT_NO);
    be_lost(&c, FAILURE_NONE, SENT_NO);
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
}
END_TEST

/* An answered one counts from when it was sent; one of unknown fate from when it was given up. */
START_TEST(its_time_is_over)
{
    first(&a, "a");
    be_answered(&a, 4000, 2);
    loop_skip(loop, WITHIN - 4001);
    copy(&b, "b");
    turn();
    loop_skip(loop, 1);
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
    ck_assert_uint_eq(dedupe_bytes(dedupe), 0);
    first(&a, "a");
    loop_skip(loop, 3 * WITHIN); /* under way, it counts however long that takes */
    copy(&b, "b");
    be_lost(&a, FAILURE_HTTP_RESPONSE_TIMEOUT, SENT_YES);
    turn();
    ck_assert(b.fates == 1 && b.status == 0 && b.error == FAILURE_HTTP_RESPONSE_TIMEOUT);
    loop_skip(loop, WITHIN - 1);
    copy(&b, "b");
    turn();
    ck_assert(b.fates == 1 && b.fate_sent == SENT_YES && !b.got_answer);
    loop_skip(loop, 1);
    first(&a, "a");
    copy(&b, "b");
    be_answered(&a, 2 * WITHIN, 2); /* over at once, but not for a copy that waited */
    turn();
    ck_assert_uint_eq(b.fates, 1);
    loop_skip(loop, 2);
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
}
END_TEST

/* A shorter `dedupe` after a reload holds for orders that are remembered for longer. */
START_TEST(the_present_setting_counts)
{
    struct order_digest d = digest(1);
    first(&a, "a");
    be_answered(&a, 0, 2);
    loop_skip(loop, 2000);
    copy(&b, "b");
    turn();
    ck_assert_int_eq(dedupe_enter(dedupe, &b.claim, "x", &d, 2001), DEDUPE_COPY);
    dedupe_leave(&b.claim);
    turn();
    ck_assert_int_eq(dedupe_enter(dedupe, &b.claim, "x", &d, 2000), DEDUPE_FIRST);
    be_lost(&b, FAILURE_NONE, SENT_NO);
}
END_TEST

START_TEST(of_what_was_not_sent_one_copy_goes)
{
    struct party d;
    first(&a, "a");
    copy(&b, "b");
    copy(&c, "c");
    be_lost(&a, FAILURE_DESTINATION_UNAVAILABLE, SENT_NO);
    ck_assert(dedupe_is_under_way(&b.claim) && dedupe_sent(&b.claim) == SENT_NO);
    turn();
    ck_assert(b.turns == 0 && c.turns == 1); /* the youngest */
    c.sent = SENT_PARTIAL;
    ck_assert_int_eq(dedupe_sent(&b.claim), SENT_PARTIAL);
    ck_assert_str_eq(dedupe_id(&b.claim)->text, "c");
    copy(&d, "d");
    be_answered(&c, 0, 2);
    turn();
    ck_assert(b.fates == 1 && d.fates == 1);
    ck_assert_str_eq(b.told_id, "c");
}
END_TEST

/* One that is too late does not go, and waits for one that can; if there is none, none goes. */
START_TEST(a_copy_that_is_late_does_not_go)
{
    first(&a, "a");
    copy(&b, "b");
    copy(&c, "c");
    c.late = true;
    be_lost(&a, FAILURE_NONE, SENT_NO);
    turn();
    ck_assert(b.turns == 1 && c.turns == 0 && c.lates == 0 && c.in);
    be_lost(&b, FAILURE_NONE, SENT_NO);
    copy(&a, "a");
    a.late = true;
    turn();
    ck_assert(a.lates == 1 && c.lates == 1);
    ck_assert_str_eq(c.told_id, "b");
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
}
END_TEST

START_TEST(a_copy_leaves)
{
    first(&a, "a");
    copy(&b, "b");
    dedupe_leave(&b.claim);
    b.in = false;
    be_lost(&a, FAILURE_NONE, SENT_NO);
    turn();
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
    first(&a, "a");
    copy(&b, "b");
    be_lost(&a, FAILURE_NONE, SENT_NO); /* b is about to go, */
    dedupe_leave(&b.claim);             /* but leaves */
    b.in = false;
    turn();
    ck_assert(b.turns == 0 && dedupe_count(dedupe) == 0);
}
END_TEST

START_TEST(what_a_copy_is_told)
{
    struct request_id id = {"06f3-17"};
    struct dedupe_fate f = {.id = &id, .age_ms = 1204, .sent = SENT_PARTIAL};
    struct verdict v = dedupe_verdict(&f);
    ck_assert_int_eq(verdict_status(&v), 409);
    ck_assert(v.error == FAILURE_HTTP_REQUEST_DENIED && v.sent == SENT_PARTIAL);
    ck_assert_str_eq(v.detail, "copy of order 06f3-17, sent 1204ms ago: its outcome is unknown");
    f.error = FAILURE_HTTP_RESPONSE_TIMEOUT;
    ck_assert_int_eq(dedupe_verdict(&f).error, FAILURE_HTTP_RESPONSE_TIMEOUT);
    f = (struct dedupe_fate){.id = &id, .age_ms = 9000, .sent = SENT_YES, .status = 201};
    v = dedupe_verdict(&f);
    ck_assert(v.error == FAILURE_HTTP_REQUEST_DENIED && v.sent == SENT_YES);
    ck_assert_str_eq(v.detail, "copy of order 06f3-17, sent 9s ago: answered 201");
    f.error = FAILURE_HTTP_RESPONSE_INCOMPLETE;
    v = dedupe_verdict(&f);
    ck_assert_int_eq(v.error, FAILURE_HTTP_RESPONSE_INCOMPLETE);
    ck_assert_ptr_nonnull(strstr(v.detail, "answered 201, but the answer was cut off"));
}
END_TEST

/* The oldest answers are dropped, but no order is forgotten. */
START_TEST(answers_take_bounded_memory)
{
    unsigned n = DEDUPE_ANSWERS_MAX / KEPT_ANSWER_MAX + 10;
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(enter_as(&a, "a", "x", i), DEDUPE_FIRST);
        be_answered(&a, 0, KEPT_ANSWER_MAX);
        ck_assert_uint_le(dedupe_bytes(dedupe), DEDUPE_ANSWERS_MAX);
    }
    ck_assert_uint_eq(dedupe_count(dedupe), n);
    ck_assert_int_eq(enter_as(&b, "b", "x", 0), DEDUPE_COPY);
    ck_assert_int_eq(enter_as(&c, "c", "x", n - 1), DEDUPE_COPY);
    turn();
    ck_assert(b.fates == 1 && !b.got_answer && b.status == 200);
    ck_assert(c.fates == 1 && c.got_answer);
    loop_skip(loop, WITHIN);
    ck_assert(dedupe_count(dedupe) == 0 && dedupe_bytes(dedupe) == 0);
}
END_TEST

START_TEST(no_order_is_forgotten_for_another)
{
    for (unsigned i = 0; i < DEDUPE_ORDERS_MAX; i++) {
        ck_assert_int_eq(enter_as(&a, "a", "x", i), DEDUPE_FIRST);
        dedupe_answered(&a.claim, 0, 200, NULL);
    }
    ck_assert_int_eq(enter_as(&b, "b", "x", DEDUPE_ORDERS_MAX), DEDUPE_FULL);
    ck_assert_ptr_null(b.claim.record);
    struct order_digest d = digest(DEDUPE_ORDERS_MAX);
    ck_assert(!dedupe_recall(dedupe, "x", &d, &(struct dedupe_fate){.id = &a.id}, 0, WITHIN));
    ck_assert_int_eq(enter_as(&b, "b", "x", 0), DEDUPE_COPY);
    turn();
    ck_assert_uint_eq(b.fates, 1);
    loop_skip(loop, WITHIN);
    ck_assert_int_eq(enter_as(&b, "b", "x", DEDUPE_ORDERS_MAX), DEDUPE_FIRST);
    be_lost(&b, FAILURE_NONE, SENT_NO);
}
END_TEST

START_TEST(orders_of_an_earlier_process)
{
    struct request_id old = {"old-1"};
    struct order_digest one = digest(1), two = digest(2);
    struct dedupe_fate answered = {.id = &old, .age_ms = 4000, .status = 200, .sent = SENT_YES};
    struct dedupe_fate open = {.id = &old, .age_ms = 4000, .sent = SENT_PARTIAL};
    ck_assert(dedupe_recall(dedupe, "x", &one, &answered, 4000, WITHIN));
    ck_assert(dedupe_recall(dedupe, "x", &two, &open, 0, WITHIN));
    copy(&a, "a");
    ck_assert_int_eq(enter_as(&b, "b", "x", 2), DEDUPE_COPY);
    turn();
    ck_assert(a.fates == 1 && a.status == 200 && a.age_ms == 4000 && !a.got_answer);
    ck_assert(b.fates == 1 && b.status == 0 && b.fate_sent == SENT_PARTIAL);
    ck_assert_str_eq(a.told_id, "old-1");
    loop_skip(loop, 6000);
    first(&a, "a");
    ck_assert(dedupe_recall(dedupe, "x", &one, &answered, 0, WITHIN)); /* stays as it is */
    be_lost(&a, FAILURE_NONE, SENT_NO);
    ck_assert_int_eq(enter_as(&b, "b", "x", 2), DEDUPE_COPY);
    turn();
    loop_skip(loop, 4000);
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
}
END_TEST

static void hear(unsigned order, const struct dedupe_fate *fate)
{
    const struct order_digest d = digest(order);
    ck_assert(dedupe_recall(dedupe, "x", &d, fate, fate->is_open ? 0 : fate->age_ms, WITHIN));
}

/* Another life has begun the order before its first here has left: that one is a copy. */
START_TEST(an_order_of_another_life_stops_the_first)
{
    struct request_id other = {"other-1"};
    const struct dedupe_fate open = {.id = &other, .sent = SENT_YES, .is_open = true};
    first(&a, "a");
    copy(&b, "b");
    hear(1, &open); /* a has left: what comes after it is the other's affair */
    ck_assert(a.fates == 0);
    a.may_stop = true;
    hear(1, &open);
    ck_assert(a.fates == 1 && a.status == 0 && a.fate_sent == SENT_YES);
    turn();
    ck_assert(b.fates == 1 && b.turns == 0);
    ck_assert_str_eq(b.told_id, "other-1");
    dedupe_settle(dedupe, &(struct dedupe_fate){.id = &other, .status = 201, .sent = SENT_YES});
    copy(&a, "a");
    turn();
    ck_assert(a.fates == 1 && a.status == 201);
    loop_skip(loop, WITHIN);
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
}
END_TEST

/* What it has not sent may go; what it sent long ago is none of ours. */
START_TEST(an_order_of_another_life_ends_unsent)
{
    struct request_id other = {"other-1"};
    const struct dedupe_fate open = {.id = &other, .sent = SENT_YES, .is_open = true};
    hear(1, &open);
    dedupe_settle(dedupe, &(struct dedupe_fate){.id = &(struct request_id){"other-2"}});
    copy(&a, "a");
    dedupe_leave(&a.claim);
    dedupe_settle(dedupe, &(struct dedupe_fate){.id = &other, .sent = SENT_NO});
    first(&a, "a");
    be_lost(&a, FAILURE_NONE, SENT_NO);
    hear(1, &(struct dedupe_fate){.id = &other, .sent = SENT_YES, .status = 200, .age_ms = WITHIN});
    first(&a, "a");
    be_lost(&a, FAILURE_NONE, SENT_NO);
}
END_TEST

/* There a copy went, and its line came before the end of the one that was not sent. */
START_TEST(an_order_of_another_life_is_begun_anew)
{
    struct request_id one = {"other-1"}, two = {"other-2"};
    hear(1, &(struct dedupe_fate){.id = &one, .sent = SENT_YES, .is_open = true});
    hear(1, &(struct dedupe_fate){.id = &two, .sent = SENT_YES, .is_open = true});
    dedupe_settle(dedupe, &(struct dedupe_fate){.id = &one, .sent = SENT_NO});
    copy(&a, "a");
    turn();
    ck_assert(a.fates == 1 && a.status == 0 && a.fate_sent == SENT_YES);
    ck_assert_str_eq(a.told_id, "other-2");
    bool is_sent = _i;
    dedupe_settle(dedupe, &(struct dedupe_fate){.id = &two,
                                                .status = is_sent ? 200 : 0,
                                                .sent = is_sent ? SENT_YES : SENT_NO});
    copy(&a, "a"); /* the first of the two may have been sent */
    turn();
    ck_assert(a.fates == 1 && a.status == (is_sent ? 200 : 0) && a.fate_sent == SENT_YES);
    loop_skip(loop, WITHIN);
    ck_assert_uint_eq(dedupe_count(dedupe), 0);
}
END_TEST

SUITE()
{
    FIXTURE(start, stop);
    TEST(a_copy_hears_the_answer);
    TEST(an_order_is_forgotten_while_its_copy_is_told);
    TEST(other_orders_are_no_copies);
    TEST(its_time_is_over);
    TEST(the_present_setting_counts);
    TEST(of_what_was_not_sent_one_copy_goes);
    TEST(a_copy_that_is_late_does_not_go);
    TEST(a_copy_leaves);
    TEST(what_a_copy_is_told);
    TEST(answers_take_bounded_memory);
    TEST(no_order_is_forgotten_for_another);
    TEST(orders_of_an_earlier_process);
    TEST(an_order_of_another_life_stops_the_first);
    TEST(an_order_of_another_life_ends_unsent);
    LOOP(an_order_of_another_life_is_begun_anew, 0, 2);
}
