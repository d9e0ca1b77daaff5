/* A journal that is given up to the next daemon while the disk has a line of its own under way: the
 * line is written, and what the next one writes meanwhile is told. */
#include "order_journal_fixture.h"

static struct text told;

static void on_other(void *context, const struct order_other *o)
{
    text_printf(&told, "%s %s%s; ", o->is_end ? "end" : "begin", o->past.id,
                ((const struct order *)context)->begun ? " behind mine" : " before mine");
}

/* For the next daemon, as at a drain; or altogether, as at a reload of another path. */
START_TEST(given_up_while_the_disk_hangs)
{
    bool leaves = _i;
    struct order o, later;
    text_clear(&told);
    order_journal_listen(journal, on_other, &o);
    settle();
    set_disk(SIZE_MAX, 0, true);
    ck_assert(!start(&o, 1));
    loop_turn(loop, false);
    if (leaves)
        order_journal_leave(journal, &leaving);
    else
        order_journal_give_up(journal);
    ck_assert_int_eq(given_up, 1);
    ck_assert(!o.begun);
    others_append(T OTHER "\",\"ev\":\"begin\"}\n");
    set_disk(SIZE_MAX, 0, false);
    UNTIL(o.begun);
    ck_assert(!o.refused);
    ck_assert_str_eq(told.at, "begin " OTHER " before mine; ");
    ck_assert(leaves || !start(&later, 2));
    UNTIL(leaves || later.begun);
    end(&o, SENT_YES);
    bool goes = answer(&o);
    UNTIL(goes || o.ended);
    if (!leaves) {
        end(&later, SENT_NO);
        order_entry_release(later.entry);
    } else {
        journal = NULL; /* over with its last order */
    }
    order_entry_release(o.entry);
}
END_TEST

/* It is taken back before the disk has moved: there is one file, which is given up no more. */
START_TEST(taken_back_while_the_disk_hangs)
{
    char error[200];
    struct order o;
    text_clear(&told);
    order_journal_listen(journal, on_other, &o);
    settle();
    set_disk(SIZE_MAX, 0, true);
    ck_assert(!start(&o, 1));
    order_journal_leave(journal, &leaving);
    ck_assert(order_journal_take_back(journal, error, sizeof error));
    order_journal_stay(journal);
    ck_assert_uint_eq(leaving.count, 0);
    ck_assert_int_eq(given_up, 0);
    set_disk(SIZE_MAX, 0, false);
    UNTIL(o.begun);
    ck_assert(!o.refused);
    end(&o, SENT_YES);
    ck_assert(!answer(&o));
    UNTIL(o.ended);
    order_entry_release(o.entry);
    ck_assert_int_eq(closed, 0);
    ck_assert_str_eq(on_disk(), "start; begin 1; end 1 yes; ");
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    LOOP(given_up_while_the_disk_hangs, 0, 2);
    TEST(taken_back_while_the_disk_hangs);
}
