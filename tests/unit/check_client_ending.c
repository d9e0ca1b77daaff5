/* The very end: what each client is told when the daemon ends, in whatever state its
 * connection is. */
#include "client_fixture.h"

/* The house ends after that was said. */
static void settle_after(const char *said)
{
    struct verdict why =
        verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "trunkline is shutting down");
    begin();
    if (said)
        say(said);
    forget();
    clients_settle(clients, &why);
}

static bool is_settled(void)
{
    turn();
    return has("HTTP/1.1 503 ") && has("destination_unavailable") && has("Connection: close") &&
           !is_open();
}

START_TEST(test_the_very_end)
{
    settle_after(NULL); /* it asked for nothing */
    ck_assert(!is_open() && *got() == '\0');
    finish();
    settle_after("GET / HT"); /* within a head */
    ck_assert(is_settled() && has("sent=no"));
    finish();
    settle_after(GET); /* the exchange knows what was sent */
    ck_assert(is_settled() && has("sent=partial"));
    finish();
    settle_after("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
    ck_assert(is_settled() && has("sent=partial"));
    finish();
    settle_after("GET / HTTP/1.1\r\nHost:"); /* nothing is asked of the handler any more */
    say(" h\r\n\r\n");
    ck_assert(handler.opened == 0 && !is_open());
    finish();
}
END_TEST

/* Bytes lay in the kernel when it ended: they are read, and answered. */
START_TEST(test_the_very_end_of_one_that_is_arriving)
{
    static char piece[300000];
    struct verdict why = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "shutting down");
    memset(piece, 'y', sizeof piece);
    begin();
    stream.loud = true;
    clients_settle(clients, &why);
    ck_assert(is_open());
    stream.loud = false;
    say(GET);
    ck_assert(is_settled() && handler.opened == 1 && handler.refused == 1);
    finish();
    begin(); /* one that was sent ahead of an answer that its client does not read */
    say(GET GET);
    stream.stuck = true;
    fake_head(&handler, 200, FRAMING_LENGTH, sizeof piece);
    fake_body(&handler, piece, sizeof piece);
    fake_end(&handler);
    turn();
    clients_settle(clients, &why);
    turn();
    ck_assert(handler.opened == 2 && handler.refused == 1 && is_open());
    fake_stream_take(&stream, sizeof piece);
    turn();
    ck_assert(is_settled());
    finish();
}
END_TEST

/* After the head there is no honest answer left. */
START_TEST(test_the_very_end_within_an_answer)
{
    struct verdict why = verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "shutting down");
    begin();
    say(GET);
    fake_head(&handler, 200, FRAMING_CHUNKED, 0);
    fake_body(&handler, "abc", 3);
    turn();
    clients_settle(clients, &why);
    turn();
    ck_assert(has("abc") && !has("\r\n0\r\n\r\n") && !has("503") && stream.closed && !is_open());
    finish();
    begin(); /* its last byte is written already: it goes out */
    say(GET);
    fake_head(&handler, 200, FRAMING_LENGTH, 3);
    fake_body(&handler, "abc", 3);
    fake_end(&handler);
    clients_settle(clients, &why);
    turn();
    ck_assert(has("abc") && !has("503") && handler.refused == 0);
    finish();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("client ending");
    TCase *all = tcase_create("all");
    tcase_add_test(all, test_the_very_end);
    tcase_add_test(all, test_the_very_end_of_one_that_is_arriving);
    tcase_add_test(all, test_the_very_end_within_an_answer);
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
