/* What the lines of a journal tell of the orders of other lives. */
#include "proxy/order_other.h"

#include "suite.h"

#define T "\"t\":\"2026-11-27T09:00:00.000000Z\""
#define BEGIN(id)                                                                                  \
    "{" T ",\"id\":\"" id "\",\"ev\":\"begin\",\"upstream\":\"x\",\"digest\":\"d\",\"bot\":null}"  \
    "\n"
#define END(id, sent)                                                                              \
    "{" T ",\"id\":\"" id "\",\"ev\":\"end\",\"sent\":\"" sent "\",\"status\":200}\n"
#define MINE "06f3k9d2q4ab"
#define OTHER "06f3k9d2q4ac"

static struct list all;

static void read_all(const char *lines)
{
    order_other_read(&all, span_of(lines), MINE);
}

static struct order_other *next(void)
{
    struct link *k = list_first(&all);
    ck_assert_ptr_nonnull(k);
    list_remove(k);
    return order_other_of(container_of(k, struct order_writing, link));
}

START_TEST(begin_and_end_are_one)
{
    list_init(&all);
    read_all(BEGIN(OTHER "-1") BEGIN(MINE "-1") BEGIN(OTHER "-2") "rubbish\n{" T "}\n" END(
        MINE "-1", "yes") END(OTHER "-1", "no") BEGIN(OTHER "-3"));
    ck_assert_uint_eq(all.count, 3);
    struct order_other *o = next();
    ck_assert_str_eq(o->past.id, OTHER "-1");
    ck_assert_str_eq(o->past.upstream, "x");
    ck_assert_str_eq(o->past.digest, "d");
    ck_assert(!o->is_end && o->past.ended_us && o->past.sent == SENT_NO && o->past.status == 200);
    order_other_free(o);
    o = next();
    ck_assert(!o->is_end && o->past.ended_us == 0 && o->past.fate == ORDER_OPEN);
    ck_assert_str_eq(o->past.id, OTHER "-2");
    order_other_free(o);
    order_other_free(next());
}
END_TEST

START_TEST(an_end_alone)
{
    list_init(&all);
    read_all(END(OTHER "-1", "yes"));
    struct order_other *o = next();
    ck_assert(o->is_end && o->past.sent == SENT_YES && o->past.fate == ORDER_KNOWN);
    ck_assert_str_eq(o->past.id, OTHER "-1");
    order_other_free(o);
    read_all("");
    ck_assert_uint_eq(all.count, 0);
}
END_TEST

/* Many orders: what an end costs is bounded. */
START_TEST(an_end_far_behind)
{
    list_init(&all);
    read_all(BEGIN(OTHER "-1"));
    for (int i = 0; i < 10000; i++)
        read_all(BEGIN(OTHER "-2"));
    read_all(END(OTHER "-1", "yes") END(OTHER "-2", "yes"));
    ck_assert_uint_eq(all.count, 10002);
    struct order_other *o = next();
    ck_assert(!o->is_end && o->past.ended_us == 0);
    order_other_free(o);
    while (all.count > 2)
        order_other_free(next());
    o = next();
    ck_assert(!o->is_end && o->past.ended_us);
    order_other_free(o);
    o = next();
    ck_assert(o->is_end);
    ck_assert_str_eq(o->past.id, OTHER "-1");
    order_other_free(o);
}
END_TEST

SUITE()
{
    TEST(begin_and_end_are_one);
    TEST(an_end_alone);
    TEST(an_end_far_behind);
}
