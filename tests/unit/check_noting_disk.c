/* An order that waits for its line in a journal whose disk fails or stops, with a connection at hand. The
 * file of the journal is a fake (order_disk.h). */
#include "order_disk.h"
#include "proxy/order_journal.h"
#include "suite.h"
#include "transaction_fixture.h"

static struct order_journal *journal;
static struct test_client order, next;

static void begin_journal(bool required)
{
    char error[200];
    begin("max_connections = 1\norder_wait = 1m");
    uv_mutex_init(&disk);
    uv_cond_init(&disk_moves);
    text_clear(&content);
    set_disk(SIZE_MAX, 0, false);
    warm_up();
    struct order_journal_rules rules = {.required = required};
    journal = order_journal_new(loop, "/orders", LIFE, rules, error, sizeof error);
    ck_assert_ptr_nonnull(journal);
    proxy_journal(proxy, journal);
    UNTIL(strcmp(on_disk(), "start; ") == 0);
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
}

static void end(void)
{
    set_disk(SIZE_MAX, 0, false);
    proxy_journal(proxy, NULL);
    order_journal_end(journal);
    finish();
}

/* Its line cannot be written: it does not leave, and the connection is there for others. */
START_TEST(a_full_disk_refuses_it)
{
    begin_journal(true);
    set_disk(0, 0, false);
    ask_whole(&order, "POST", "");
    UNTIL(order.recorder.ended);
    ck_assert_uint_eq(order.recorder.status, 503);
    ck_assert_msg(heard_part(&order, "Trunkline-Sent=no;"), "%s", order.heard.at);
    UNTIL(look().active == 0 && look().idle == 1);
    ck_assert_uint_eq(origin.requests, 0);
    ask_whole(&next, "GET", "");
    UNTIL(next.recorder.ended);
    ck_assert(next.recorder.status == 200 && origin.accepted == 1);
    clear(&order), clear(&next);
    end();
}
END_TEST

/* Where it is not required, an answer does not wait for a disk that has stopped, and comes whole. */
START_TEST(a_stopped_disk_withholds_no_end)
{
    begin_journal(false);
    set_disk(SIZE_MAX, 0, true);
    origin.answer = "HTTP/1.1 200 OK\r\nTrailer: Checked\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "2\r\nhi\r\n0\r\nChecked: yes\r\n\r\n";
    for (unsigned i = 0; i < 2; i++) { /* that it has stopped is known by the second one */
        ask_whole(&order, "POST", "");
        for (int n = 0; n < 40 && !order.recorder.ended; n++) {
            loop_skip(loop, 500);
            turn_for(loop, 2);
        }
        ck_assert_msg(order.recorder.ended == 1, "%u: %s", i, order.heard.at);
        ck_assert_msg(heard_part(&order, "body(hi)") && heard_part(&order, "end {Checked=yes;}"),
                      "%s", order.heard.at);
        clear(&order);
    }
    end();
}
END_TEST

SUITE()
{
    TEST(a_full_disk_refuses_it);
    TEST(a_stopped_disk_withholds_no_end);
}
