/* A body that is longer than what a connection takes at once: its client waits, goes on when there is
 * room, and hears nothing that it did not ask for. */
#include "suite.h"
#include "transaction_fixture.h"

#define PIECE 100000
#define PIECES 120 /* more than the kernel takes of a connection that nobody reads */

static const char piece[PIECE];
static struct test_client a;

/* Sends on until it has to wait. Returns how many pieces are left. */
static unsigned send_on(unsigned left)
{
    for (; left; left--)
        if (!exchange_body(a.recorder.exchange, piece, PIECE))
            return left - 1;
    return 0;
}

START_TEST(it_waits_and_goes_on)
{
    unsigned drained = 0, left = PIECES;
    begin("");
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    ask(&a, "PUT", "Content-Length: 12000000\r\n");
    do {
        ck_assert_uint_eq(a.recorder.drained, drained);
        left = send_on(left);
        if (left)
            UNTIL(a.recorder.drained == drained + 1);
        drained = a.recorder.drained;
    } while (left);
    ck_assert_uint_ge(drained, 2); /* when it had a connection, and on that */
    conclude(&a);
    UNTIL(a.recorder.ended);
    ck_assert_uint_eq(a.recorder.status, 200);
    clear(&a);
    finish();
}
END_TEST

/* It has not asked to be invited (100). */
START_TEST(a_body_in_pieces_is_not_invited)
{
    begin("");
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    ask(&a, "POST", "Content-Length: 10\r\n");
    ck_assert(exchange_body(a.recorder.exchange, "hello", 5));
    turn_for(loop, 5);
    ck_assert_str_eq(a.heard.at, "");
    ck_assert(exchange_body(a.recorder.exchange, "hello", 5));
    conclude(&a);
    UNTIL(a.recorder.ended);
    ck_assert(a.recorder.status == 200 && !heard_part(&a, "100"));
    clear(&a);
    finish();
}
END_TEST

/* A client that does not read its answer has patience as long as none needs the connection. */
START_TEST(a_client_that_does_not_read_has_patience)
{
    struct test_client next;
    begin("max_connections = 1");
    ask_whole(&a, "GET", "");
    UNTIL(origin.requests == 1);
    exchange_pause(a.recorder.exchange);
    ck_assert(exchange_patience(a.recorder.exchange) == UINT64_MAX);
    ask_whole(&next, "GET", "");
    UNTIL(look().waiting == 1);
    ck_assert(exchange_patience(a.recorder.exchange) < UINT64_MAX);
    exchange_resume(a.recorder.exchange);
    ck_assert(exchange_patience(a.recorder.exchange) == UINT64_MAX);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    plain_origin_say(&origin, 0, OK);
    UNTIL(a.recorder.ended && next.recorder.ended);
    clear(&a);
    clear(&next);
    finish();
}
END_TEST

SUITE()
{
    TEST(it_waits_and_goes_on);
    TEST(a_body_in_pieces_is_not_invited);
    TEST(a_client_that_does_not_read_has_patience);
}
