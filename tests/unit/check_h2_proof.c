/* Whether an HTTP/2 connection's origin is still there: when it is probed, doubted, confirmed and
 * given up, by the loop's clock alone. */
#include "base/text.h"
#include "protocol/h2_proof.h"
#include "suite.h"

static struct loop *loop;
static struct list exchanges; /* exchanges on the connection */
static struct link exchange;
static struct conn conn;
static struct h2_proof proof;
static struct text heard;

static void note(const char *word)
{
    text_add_str(&heard, word);
    text_add_str(&heard, " ");
}

static void on_ping_due(struct conn *c)
{
    ck_assert_ptr_eq(c, &conn);
    note("ping");
}

static void on_doubted(struct conn *c)
{
    ck_assert(c->doubted && c->awaited_until == proof.asked_at + H2_DOUBT_MS);
    note("doubted");
}

static void on_proved(struct conn *c)
{
    ck_assert(!c->doubted);
    note("proved");
}

static void on_dead(struct conn *c)
{
    (void)c;
    note("dead");
    h2_proof_stop(&proof);
}

static void setup(void)
{
    static const struct h2_proof_events events = {on_ping_due, on_doubted, on_proved, on_dead};
    loop = loop_new();
    loop_hold(loop);
    list_init(&exchanges);
    exchange = (struct link){0};
    conn = (struct conn){.log_object = "h2"};
    heard = (struct text){0};
    h2_proof_init(&proof, loop, &conn, &exchanges, &events);
}

static void teardown(void)
{
    h2_proof_stop(&proof);
    text_free(&heard);
    loop_free(loop);
}

/* What was reported after this many more milliseconds. */
static void after(uint64_t ms, const char *expected)
{
    text_clear(&heard);
    text_add_str(&heard, "");
    loop_skip(loop, ms);
    ck_assert_str_eq(heard.at, expected);
}

START_TEST(an_idle_origin_is_asked)
{
    after(H2_IDLE_PING_MS - 1, "");
    after(1, "ping ");
    after(H2_DOUBT_MS - 1, "");
    h2_proof_heard(&proof);
    ck_assert_int_eq(proof.state, H2_PROOF_HEARD);
    after(H2_IDLE_PING_MS - 1, "");
    after(1, "ping ");
}
END_TEST

START_TEST(a_busy_one_is_asked_later)
{
    list_push_back(&exchanges, &exchange);
    after(H2_BUSY_PING_MS - 1, "");
    after(1, "ping ");
    list_remove(&exchange);
}
END_TEST

START_TEST(silence_brings_doubt_then_the_end)
{
    after(H2_IDLE_PING_MS, "ping ");
    after(H2_DOUBT_MS, "doubted ");
    after(H2_PONG_MS - H2_DOUBT_MS - 1, "");
    after(1, "dead ");
    after(H2_BUSY_PING_MS, "");
}
END_TEST

START_TEST(any_byte_ends_a_doubt)
{
    after(H2_IDLE_PING_MS, "ping ");
    after(H2_DOUBT_MS, "doubted ");
    text_clear(&heard);
    h2_proof_heard(&proof);
    ck_assert_str_eq(heard.at, "proved ");
    ck_assert(!conn.doubted);
}
END_TEST

/* A turn of the loop that took longer than all timeouts together: the connection is given up at
 * once. */
START_TEST(a_late_turn_gives_up)
{
    after(H2_IDLE_PING_MS, "ping ");
    after(H2_PONG_MS, "dead ");
}
END_TEST

START_TEST(a_deadline_brings_doubt_at_once)
{
    text_add_str(&heard, "");
    loop_skip(loop, 100);
    h2_proof_unanswered(&proof, loop_now(loop) - 50, true);
    ck_assert_str_eq(heard.at, "ping doubted ");
    h2_proof_unanswered(&proof, loop_now(loop) - 50, true);
    ck_assert_str_eq(heard.at, "ping doubted ");
    after(H2_PONG_MS, "dead ");
}
END_TEST

START_TEST(cancels_bring_doubt_after_a_silence)
{
    loop_skip(loop, 100);
    uint64_t since = loop_now(loop);
    after(H2_SILENCE_MS - 1, "");
    h2_proof_unanswered(&proof, since, false);
    ck_assert_str_eq(heard.at, "");
    after(1, "");
    h2_proof_unanswered(&proof, loop_now(loop), false); /* the silence counts from the first */
    ck_assert_str_eq(heard.at, "ping doubted ");
}
END_TEST

START_TEST(bytes_since_then_mean_no_doubt)
{
    loop_skip(loop, 100);
    uint64_t since = loop_now(loop);
    after(1, "");
    h2_proof_heard(&proof);
    h2_proof_unanswered(&proof, since, true);
    ck_assert_str_eq(heard.at, "");
    ck_assert_int_eq(proof.state, H2_PROOF_HEARD);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(an_idle_origin_is_asked);
    TEST(a_busy_one_is_asked_later);
    TEST(silence_brings_doubt_then_the_end);
    TEST(any_byte_ends_a_doubt);
    TEST(a_late_turn_gives_up);
    TEST(a_deadline_brings_doubt_at_once);
    TEST(cancels_bring_doubt_after_a_silence);
    TEST(bytes_since_then_mean_no_doubt);
}
