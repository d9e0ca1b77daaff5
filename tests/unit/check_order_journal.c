/* An order leaves when its line is written, its answer goes out when its end is, and whatever the
 * disk does nothing is lost, counted twice or waited for without end. The file is a fake: the disk
 * fills, fails to sync, or stops. */
#include "order_journal_fixture.h"

START_TEST(an_order_waits_for_its_line_and_its_answer_for_the_end)
{
    struct order o;
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    ck_assert(!o.refused);
    ck_assert_str_eq(on_disk(), "start; begin 1; ");
    end(&o, SENT_YES);
    ck_assert(!answer(&o));
    UNTIL(o.ended);
    ck_assert_str_eq(on_disk(), "start; begin 1; end 1 yes; ");
    order_entry_release(o.entry);
    ck_assert_int_eq(o.begun, 1);
}
END_TEST

START_TEST(an_order_that_goes_again_has_its_line)
{
    struct order o;
    struct request_id id = {LIFE "-1"};
    const struct order_begin b = {.id = &id, .upstream = "x", .client = "c"};
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    ck_assert(order_entry_begin(o.entry, &b, on_begun, &o));
    end(&o, SENT_YES);
    ck_assert(!answer(&o));
    UNTIL(o.ended);
    ck_assert_str_eq(on_disk(), "start; begin 1; end 1 yes; ");
    order_entry_release(o.entry);
}
END_TEST

START_TEST(an_order_that_never_had_a_connection_leaves_nothing)
{
    struct request_id id = {LIFE "-1"};
    struct order o = {.entry = order_journal_enter(journal, &id)};
    end(&o, SENT_NO);
    ck_assert(answer(&o));
    order_entry_release(o.entry);
    settle();
    ck_assert_str_eq(on_disk(), "start; ");
}
END_TEST

START_TEST(lines_of_one_turn_are_one_write)
{
    struct order o[5];
    set_disk(SIZE_MAX, 0, true);
    for (int i = 0; i < 5; i++)
        ck_assert(!start(&o[i], i + 1));
    set_disk(SIZE_MAX, 0, false);
    for (int i = 0; i < 5; i++)
        UNTIL(o[i].begun);
    ck_assert_str_eq(on_disk(), "start; begin 1; begin 2; begin 3; begin 4; begin 5; ");
    for (int i = 0; i < 5; i++) {
        end(&o[i], SENT_YES);
        order_entry_release(o[i].entry);
    }
}
END_TEST

/* As a loop that has events in each turn. */
static void run_for_ever(struct task *t)
{
    loop_defer(loop, t);
}

/* Where other orders are under way, lines are gathered while the loop is busy; not for long: where turns take a
 * millisecond (valgrind) nothing is. */
START_TEST(lines_of_two_turns_are_one_write)
{
    struct order o[3];
    struct task busy;
    task_init(&busy, run_for_ever);
    ck_assert(!start(&o[0], 1));
    UNTIL(o[0].begun);
    int before = appends;
    loop_defer(loop, &busy);
    loop_turn(loop, false);
    uint64_t began = uv_now(loop_uv(loop));
    ck_assert(!start(&o[1], 2));
    loop_turn(loop, false);
    bool is_quick = uv_now(loop_uv(loop)) == began;
    uv_sleep(20); /* the thread would write it now, if it had it */
    ck_assert(!start(&o[2], 3));
    UNTIL(o[1].begun && o[2].begun);
    if (is_quick)
        ck_assert_int_eq(appends, before + 1);
    task_forget(&busy);
    for (int i = 0; i < 3; i++) {
        end(&o[i], SENT_YES);
        order_entry_release(o[i].entry);
    }
}
END_TEST

START_TEST(what_is_not_written_yet_is_taken_back)
{
    struct order o;
    ck_assert(!start(&o, 1));
    order_entry_forget(o.entry);
    end(&o, SENT_NO);
    order_entry_release(o.entry);
    settle();
    ck_assert_str_eq(on_disk(), "start; ");
    ck_assert_int_eq(o.begun, 0);
}
END_TEST

START_TEST(what_may_be_written_gets_its_end)
{
    struct order first, o;
    settle();
    set_disk(SIZE_MAX, 0, true);
    ck_assert(!start(&first, 1));
    loop_turn(loop, false);
    uv_sleep(20); /* the thread has it */
    ck_assert(!start(&o, 2));
    loop_turn(loop, false);
    order_entry_forget(first.entry);
    end(&first, SENT_NO);
    bool may_go = answer(&first);
    order_entry_forget(o.entry); /* the thread does not have this one yet */
    end(&o, SENT_NO);
    order_entry_release(o.entry);
    set_disk(SIZE_MAX, 0, false);
    UNTIL(may_go || first.ended);
    order_entry_release(first.entry);
    settle();
    ck_assert_int_eq(first.begun + o.begun, 0);
    const char *words = on_disk();
    ck_assert_msg(strcmp(words, "start; begin 1; end 1 no; ") == 0 ||
                      strcmp(words, "start; ") == 0, /* it was not that quick */
                  "%s", words);
}
END_TEST

START_TEST(a_full_disk_refuses_orders_and_keeps_their_ends)
{
    struct order before, o;
    struct order_journal_view v;
    ck_assert(!start(&before, 1));
    UNTIL(before.begun);
    set_disk(0, 0, false);
    ck_assert(!start(&o, 2));
    UNTIL(o.begun);
    ck_assert(o.refused);
    ck_assert_int_eq(o.why.error, FAILURE_DESTINATION_UNAVAILABLE);
    ck_assert_int_eq(verdict_status(&o.why), 503);
    ck_assert_int_eq(o.why.sent, SENT_NO);
    ck_assert_str_eq(o.why.detail, "the order journal cannot be written: No space left on device");
    end(&o, SENT_NO);
    ck_assert(answer(&o)); /* it never began */
    order_entry_release(o.entry);
    end(&before, SENT_YES);
    ck_assert(!answer(&before));
    UNTIL(before.ended); /* the answer does not wait for room */
    order_entry_release(before.entry);
    describe(&v);
    ck_assert_str_eq(v.error, "No space left on device");
    ck_assert_uint_eq(v.waiting, 1);
    ck_assert_uint_eq(v.refused, 1);
    ck_assert_str_eq(on_disk(), "start; begin 1; ");
    set_disk(SIZE_MAX, 0, false);
    ck_assert(!start(&o, 3));
    UNTIL(o.begun);
    ck_assert(!o.refused);
    ck_assert_str_eq(on_disk(), "start; begin 1; end 1 yes; begin 3; ");
    end(&o, SENT_YES);
    order_entry_release(o.entry);
    describe(&v);
    ck_assert_ptr_null(v.error);
}
END_TEST

START_TEST(what_was_kept_is_tried_again_by_itself)
{
    struct order o;
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    set_disk(0, 0, false);
    end(&o, SENT_YES);
    ck_assert(!answer(&o));
    UNTIL(o.ended);
    order_entry_release(o.entry);
    loop_skip(loop, 1000);
    set_disk(SIZE_MAX, 0, false);
    struct order_journal_view v;
    UNTIL((loop_skip(loop, 1000), describe(&v), v.waiting == 0));
    ck_assert_str_eq(on_disk(), "start; begin 1; end 1 yes; ");
}
END_TEST

/* Of the line that does not fit a part is in the file: its order has not left, and the end says so,
 * as soon as there is room. */
START_TEST(a_line_that_was_cut_gets_an_end)
{
    struct order o;
    settle();
    set_disk(40, 0, false);
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    ck_assert(o.refused);
    set_disk(SIZE_MAX, 0, false);
    end(&o, SENT_NO);
    ck_assert(!answer(&o));
    UNTIL(o.ended);
    order_entry_release(o.entry);
    ck_assert_ptr_nonnull(strstr(content.at, "\"ev\":\"end\",\"sent\":\"no\""));
}
END_TEST

static size_t ends_of(unsigned n)
{
    char name[20];
    size_t found = 0;
    snprintf(name, sizeof name, "end %u ", n);
    for (const char *at = on_disk(); (at = strstr(at, name)); at++)
        found++;
    return found;
}

/* All of the line is there but its "\n", which the next append adds. */
START_TEST(a_line_that_lacks_its_end_only_is_not_written_twice)
{
    struct order o;
    struct order_journal_view v;
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    size_t before = content.len;
    end(&o, SENT_YES);
    ck_assert(!answer(&o));
    UNTIL(o.ended);
    order_entry_release(o.entry);
    size_t length = content.len - before;
    ck_assert(!start(&o, 2));
    UNTIL(o.begun);
    set_disk(length - 1, 0, false);
    end(&o, SENT_YES);
    ck_assert(!answer(&o));
    UNTIL(o.ended);
    order_entry_release(o.entry);
    ck_assert_int_eq(content.at[content.len - 1], '}');
    set_disk(SIZE_MAX, 0, false);
    loop_skip(loop, 1000);
    settle();
    describe(&v);
    ck_assert_uint_eq(v.waiting, 0);
    ck_assert_uint_eq(ends_of(2), 1);
}
END_TEST

START_TEST(without_required_orders_go_on)
{
    struct order o;
    struct order_journal_view v;
    settle();
    order_journal_configure(journal, (struct order_journal_rules){.required = false});
    set_disk(0, 0, false);
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    ck_assert(!o.refused);
    end(&o, SENT_YES);
    ck_assert(answer(&o)); /* without a begin there is no end */
    order_entry_release(o.entry);
    describe(&v);
    ck_assert_uint_eq(v.missed, 1);
    ck_assert_uint_eq(v.refused, 0);
    ck_assert_str_eq(on_disk(), "start; ");
}
END_TEST

START_TEST(a_failed_sync_counts_as_not_written)
{
    struct order o;
    settle();
    order_journal_configure(journal, (struct order_journal_rules){.required = true, .sync = true});
    set_disk(SIZE_MAX, EIO, false);
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    ck_assert(o.refused);
    ck_assert_str_eq(o.why.detail, "the order journal cannot be written: Input/output error");
    end(&o, SENT_NO);
    ck_assert(!answer(&o)); /* the begin is there */
    UNTIL(o.ended);
    order_entry_release(o.entry);
    ck_assert_str_eq(on_disk(), "start; begin 1; end 1 no; ");
    set_disk(SIZE_MAX, 0, false);
    ck_assert(!start(&o, 2));
    UNTIL(o.begun);
    ck_assert(!o.refused);
    end(&o, SENT_YES);
    order_entry_release(o.entry);
}
END_TEST

START_TEST(a_disk_that_stops_delays_no_answer_for_long)
{
    struct order o, second;
    struct order_journal_view v;
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    set_disk(SIZE_MAX, 0, true);
    end(&o, SENT_YES);
    ck_assert(!answer(&o));
    ck_assert(!start(&second, 2));
    loop_turn(loop, false);
    loop_skip(loop, ORDER_PATIENCE_MS - 1);
    ck_assert_int_eq(o.ended, 0);
    loop_skip(loop, 1);
    ck_assert_int_eq(o.ended, 1);
    ck_assert_int_eq(second.begun, 0); /* it must not leave; its own time ends it */
    describe(&v);
    ck_assert_str_eq(v.error, "the disk does not answer");
    order_entry_release(o.entry);
    order_entry_forget(second.entry);
    end(&second, SENT_NO);
    order_entry_release(second.entry);
    set_disk(SIZE_MAX, 0, false);
    UNTIL((describe(&v), v.waiting == 0));
    ck_assert_ptr_null(v.error);
    ck_assert_ptr_nonnull(strstr(on_disk(), "end 1 yes; "));
}
END_TEST

/* What was given to it meanwhile, too, is not waited for unseen. */
START_TEST(a_disk_that_stops_again_is_told_again)
{
    struct order o, second;
    struct order_journal_view v;
    settle();
    set_disk(SIZE_MAX, 0, true);
    ck_assert(!start(&o, 1));
    loop_turn(loop, false);
    uv_sleep(20); /* the thread has it */
    ck_assert(!start(&second, 2));
    loop_turn(loop, false);
    loop_skip(loop, ORDER_PATIENCE_MS);
    stops_again = true;
    set_disk(SIZE_MAX, 0, false);
    UNTIL((describe(&v), v.error == NULL));
    if (v.waiting) { /* or it was not that quick */
        loop_skip(loop, ORDER_PATIENCE_MS);
        describe(&v);
        ck_assert_str_eq(v.error, "the disk does not answer");
    }
    stops_again = false;
    set_disk(SIZE_MAX, 0, false);
    UNTIL(o.begun && second.begun);
    end(&o, SENT_YES);
    order_entry_release(o.entry);
    end(&second, SENT_YES);
    order_entry_release(second.entry);
}
END_TEST

START_TEST(a_disk_that_stops_keeps_no_order_that_may_go)
{
    struct order o, second;
    settle();
    order_journal_configure(journal, (struct order_journal_rules){.required = false});
    set_disk(SIZE_MAX, 0, true);
    ck_assert(!start(&o, 1));
    loop_turn(loop, false);
    loop_skip(loop, ORDER_PATIENCE_MS);
    ck_assert_int_eq(o.begun, 1);
    ck_assert(!o.refused);
    ck_assert(!order_entry_may_stop(o.entry)); /* it has left, whatever others have begun before */
    ck_assert(start(&second, 2));              /* it does not even ask */
    end(&second, SENT_YES);
    ck_assert(answer(&second));
    order_entry_release(second.entry);
    end(&o, SENT_YES);
    ck_assert(answer(&o));
    order_entry_release(o.entry);
    set_disk(SIZE_MAX, 0, false);
    UNTIL(strcmp(on_disk(), "start; begin 1; end 1 yes; ") == 0);
}
END_TEST

/* The loop may be what was late, not the disk: what is written by then is no reason to blame it. */
START_TEST(a_loop_that_was_late_does_not_blame_the_disk)
{
    struct order o;
    struct order_journal_view v;
    settle();
    set_disk(SIZE_MAX, 0, true);
    ck_assert(!start(&o, 1));
    loop_turn(loop, false);
    struct pollfd woken = {.fd = uv_backend_fd(loop_uv(loop)), .events = POLLIN};
    set_disk(SIZE_MAX, 0, false);
    ck_assert_int_eq(poll(&woken, 1, UNTIL_S * 1000), 1);
    loop_skip(loop, ORDER_PATIENCE_MS);
    describe(&v);
    ck_assert_ptr_null(v.error);
    ck_assert_uint_eq(v.errors, 0);
    ck_assert_int_eq(o.begun, 1);
    end(&o, SENT_YES);
    order_entry_release(o.entry);
}
END_TEST

START_TEST(rotation_loses_nothing)
{
    struct order o, second;
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    order_journal_reopen(journal); /* the path still names the file */
    ck_assert_int_eq(opened, 1);
    moved = true;
    end(&o, SENT_YES); /* before the signal: the old file has it */
    order_journal_reopen(journal);
    moved = false;
    ck_assert(!start(&second, 2));
    UNTIL(second.begun);
    end(&second, SENT_YES);
    order_entry_release(second.entry);
    order_entry_release(o.entry);
    settle();
    ck_assert_str_eq(on_disk(), "start; begin 1; end 1 yes; [/orders closed]; start; begin 2; "
                                "end 2 yes; ");
}
END_TEST

/* The last lines of the old file share their turn with the switch to the new one. */
START_TEST(a_failed_sync_of_the_old_file_counts_too)
{
    struct order o;
    settle();
    order_journal_configure(journal, (struct order_journal_rules){.required = true, .sync = true});
    sync_error = EIO;
    syncs_left = 1;
    ck_assert(!start(&o, 1));
    moved = true;
    order_journal_reopen(journal);
    moved = false;
    UNTIL(o.begun);
    ck_assert(o.refused);
    end(&o, SENT_NO);
    ck_assert(!answer(&o));
    UNTIL(o.ended);
    order_entry_release(o.entry);
    ck_assert_str_eq(on_disk(), "start; begin 1; [/orders closed]; start; end 1 no; ");
}
END_TEST

/* A reload names another path: what began in the old file ends there. */
START_TEST(an_order_ends_where_it_began)
{
    struct order o, second;
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    order_journal_leave(journal, &leaving);
    ck_assert_uint_eq(leaving.count, 1);
    ck_assert_int_eq(given_up, 1);
    journal = new_journal("/other", true, false);
    ck_assert(!start(&second, 2));
    UNTIL(second.begun);
    end(&o, SENT_YES);
    ck_assert(!answer(&o));
    UNTIL(o.ended);
    order_entry_release(o.entry);
    UNTIL(leaving.count == 0);
    end(&second, SENT_YES);
    order_entry_release(second.entry);
    settle();
    ck_assert_str_eq(on_disk(),
                     "start; begin 1; start; begin 2; end 1 yes; [/orders closed]; end 2 yes; ");
}
END_TEST

/* What began; what the thread has, and is not known to have begun; what a full disk does not take. */
START_TEST(the_end_writes_what_it_can)
{
    struct order o;
    ck_assert(!start(&o, 1));
    if (_i == 1) {
        loop_turn(loop, false);
        uv_sleep(50);
        order_entry_forget(o.entry);
    } else {
        UNTIL(o.begun);
    }
    set_disk(_i == 2 ? 0 : SIZE_MAX, 0, false);
    end(&o, SENT_YES);
    order_entry_release(o.entry);
    order_journal_end(journal);
    journal = NULL;
    ck_assert_str_eq(on_disk(), _i == 2 ? "start; begin 1; [/orders closed]; "
                                        : "start; begin 1; end 1 yes; [/orders closed]; ");
}
END_TEST

START_TEST(a_start_that_cannot_be_written_goes_first)
{
    struct order o;
    set_disk(0, 0, false);
    settle();
    set_disk(SIZE_MAX, 0, false);
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    ck_assert_str_eq(on_disk(), "start; begin 1; ");
    end(&o, SENT_YES);
    order_entry_release(o.entry);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(an_order_waits_for_its_line_and_its_answer_for_the_end);
    TEST(an_order_that_goes_again_has_its_line);
    TEST(an_order_that_never_had_a_connection_leaves_nothing);
    TEST(lines_of_one_turn_are_one_write);
    TEST(lines_of_two_turns_are_one_write);
    TEST(what_is_not_written_yet_is_taken_back);
    TEST(what_may_be_written_gets_its_end);
    TEST(a_full_disk_refuses_orders_and_keeps_their_ends);
    TEST(what_was_kept_is_tried_again_by_itself);
    TEST(a_line_that_was_cut_gets_an_end);
    TEST(a_line_that_lacks_its_end_only_is_not_written_twice);
    TEST(without_required_orders_go_on);
    TEST(a_failed_sync_counts_as_not_written);
    TEST(a_disk_that_stops_delays_no_answer_for_long);
    TEST(a_disk_that_stops_again_is_told_again);
    TEST(a_disk_that_stops_keeps_no_order_that_may_go);
    TEST(a_loop_that_was_late_does_not_blame_the_disk);
    TEST(rotation_loses_nothing);
    TEST(a_failed_sync_of_the_old_file_counts_too);
    TEST(an_order_ends_where_it_began);
    LOOP(the_end_writes_what_it_can, 0, 3);
    TEST(a_start_that_cannot_be_written_goes_first);
}
