/* Whether a request may have reached the exchange, over all its tries, and how many of the tries
 * were repetitions. */
#include "proxy/delivery.h"
#include "suite.h"

static enum sent of_present;
static uint64_t repeated;
static struct delivery d;

static enum sent tell_sent(const struct exchange *x)
{
    (void)x;
    return of_present;
}

static const struct exchange_ops ops = {.sent = tell_sent};
static const struct exchange present = {.ops = &ops};

static void begin(void)
{
    repeated = 0;
    delivery_init(&d, &repeated);
    ck_assert_int_eq(delivery_sent(&d, NULL), SENT_NO);
}

/* Whatever a later try reports, the verdict never becomes weaker. */
START_TEST(test_grows)
{
    static const enum sent all[] = {SENT_NO, SENT_PARTIAL, SENT_YES};
    for (int i = 0; i < 27; i++) {
        enum sent first = all[i / 9], second = all[i / 3 % 3], third = all[i % 3];
        enum sent two = first > second ? first : second, most = two > third ? two : third;
        begin();
        delivery_end_try(&d, first, false);
        ck_assert_int_eq(delivery_sent(&d, NULL), first);
        of_present = second;
        ck_assert_int_eq(delivery_sent(&d, &present), two);
        delivery_end_try(&d, second, false);
        ck_assert_int_eq(delivery_sent(&d, NULL), two);
        delivery_end_try(&d, third, false);
        ck_assert_int_eq(delivery_sent(&d, NULL), most);
        ck_assert_uint_eq(repeated, (first && second) + ((first || second) && third));
    }
}
END_TEST

/* If HTTP/2 guarantees that the request was not processed, the try adds nothing to what was sent,
 * but the request had been sent. */
START_TEST(test_undone)
{
    begin();
    delivery_end_try(&d, SENT_NO, true);
    ck_assert_int_eq(delivery_sent(&d, NULL), SENT_NO);
    ck_assert_uint_eq(repeated, 0);
    delivery_end_try(&d, SENT_NO, false); /* the request was never sent */
    ck_assert_uint_eq(repeated, 0);
    delivery_end_try(&d, SENT_NO, true);
    ck_assert_uint_eq(repeated, 1);
    delivery_end_try(&d, SENT_PARTIAL, false);
    ck_assert_int_eq(delivery_sent(&d, NULL), SENT_PARTIAL);
    ck_assert_uint_eq(repeated, 2);
    begin();
    delivery_end_try(&d, SENT_YES, true); /* as with 421: not acted on, but read */
    ck_assert_int_eq(delivery_sent(&d, NULL), SENT_YES);
}
END_TEST

/* A repetition is counted once, and before its response arrives. */
START_TEST(test_answered)
{
    begin();
    delivery_answered(&d);
    delivery_answered(&d);
    ck_assert_uint_eq(repeated, 0);
    delivery_end_try(&d, SENT_YES, false);
    ck_assert_uint_eq(repeated, 0);
    delivery_answered(&d);
    ck_assert_uint_eq(repeated, 1);
    delivery_end_try(&d, SENT_YES, false);
    ck_assert_uint_eq(repeated, 1);
}
END_TEST

static unsigned cancelled, expired;

static void count_cancel(struct exchange *x)
{
    (void)x;
    cancelled++;
}

static void count_expire(struct exchange *x)
{
    (void)x;
    expired++;
}

/* A try that is given up counts as what was sent of it, and no repetition of one of which nothing was. */
START_TEST(test_given_up)
{
    static const struct exchange_ops given_up = {
        .sent = tell_sent, .cancel = count_cancel, .expire = count_expire};
    static struct exchange x = {.ops = &given_up};
    struct exchange *now = &x;
    begin();
    cancelled = expired = 0;
    of_present = SENT_NO;
    delivery_give_up(&d, &now, false);
    ck_assert(now == NULL && cancelled == 1 && expired == 0);
    delivery_end_try(&d, SENT_PARTIAL, false);
    ck_assert_uint_eq(repeated, 0);
    now = &x;
    of_present = SENT_YES;
    delivery_give_up(&d, &now, true);
    ck_assert(now == NULL && cancelled == 1 && expired == 1);
    ck_assert_uint_eq(repeated, 1);
    ck_assert_int_eq(delivery_sent(&d, NULL), SENT_YES);
    delivery_give_up(&d, &now, true); /* there is none */
    ck_assert_uint_eq(repeated, 1);
}
END_TEST

SUITE()
{
    TEST(test_grows);
    TEST(test_undone);
    TEST(test_answered);
    TEST(test_given_up);
}
