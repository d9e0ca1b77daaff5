/* What other lives have written to the same file is told, and none of it after the end. */
#include "order_journal_fixture.h"

static struct text told; /* of other lives, between the outcomes */

static void on_other(void *context, const struct order_other *o)
{
    text_printf(&told, "%s %s%s; ", o->is_end ? "end" : "begin", o->past.id,
                ((const struct order *)context)->begun ? " behind mine" : " before mine");
}

/* What another life has written before a line is told before that line's outcome. */
START_TEST(other_lives_are_heard)
{
    struct order o;
    order_journal_listen(journal, on_other, &o);
    settle();
    others_append(T OTHER "\",\"ev\":\"begin\"}\n" T LIFE "-7\",\"ev\":\"begin\"}\n");
    ck_assert(!start(&o, 1) && order_entry_may_stop(o.entry));
    UNTIL(o.begun);
    others_append(T OTHER "\",\"ev\":\"end\"}\n");
    end(&o, SENT_YES);
    ck_assert(!order_entry_may_stop(o.entry) && !answer(&o));
    UNTIL(o.ended);
    order_entry_release(o.entry);
    ck_assert_str_eq(told.at, "begin " OTHER " before mine; end " OTHER " behind mine; ");
    text_free(&told);
}
END_TEST

/* Its listener may be gone by then. */
START_TEST(the_end_tells_of_no_other_life)
{
    struct order o;
    order_journal_listen(journal, on_other, &o);
    ck_assert(!start(&o, 1));
    UNTIL(o.begun);
    uv_mutex_lock(&disk);
    of_others =
        "{\"t\":\"2026-11-27T09:00:00.123456Z\",\"id\":\"06f3k9d2q4ac-1\",\"ev\":\"begin\"}\n";
    uv_mutex_unlock(&disk);
    end(&o, SENT_YES);
    order_entry_release(o.entry);
    order_journal_end(journal);
    journal = NULL;
    ck_assert_uint_eq(told.len, 0);
    ck_assert_ptr_null(of_others);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(other_lives_are_heard);
    TEST(the_end_tells_of_no_other_life);
}
