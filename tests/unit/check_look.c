/* What is unread, over real descriptors: which answers are used again, and which are not. */
#include "net/look.h"

#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"

#define LONG_US 60000000
#define PAIRS 1100 /* more than one answer holds */

static struct look *look;
static uint64_t now;
static int ends[PAIRS][2];

static void open_pairs(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]), 0);
        ck_assert(look_add(look, ends[i][0]));
    }
}

static void say(size_t pair)
{
    ck_assert_int_eq(write(ends[pair][1], "x", 1), 1);
}

static void hear(size_t pair)
{
    char byte;
    ck_assert_int_eq(read(ends[pair][0], &byte, 1), 1);
}

static bool is_quiet_now(size_t pair)
{
    return look_is_quiet(look, ends[pair][0], now, LONG_US, look_number(look));
}

static void begin(void)
{
    look = look_new();
    now = 5000000;
}

static void finish(void)
{
    look_free(look);
}

START_TEST(tells_bytes_and_ends)
{
    open_pairs(4);
    say(1);
    close(ends[2][1]);
    shutdown(ends[3][1], SHUT_WR);
    ck_assert(is_quiet_now(0));
    ck_assert(!is_quiet_now(1));
    ck_assert(!is_quiet_now(2));
    ck_assert(!is_quiet_now(3));
    hear(1);
    ck_assert(is_quiet_now(1));
}
END_TEST

START_TEST(asks_once_for_all)
{
    open_pairs(3);
    ck_assert_uint_eq(look_number(look), 0);
    for (size_t i = 0; i < 3; i++)
        ck_assert(look_is_quiet(look, ends[i][0], now, LONG_US, 0));
    ck_assert_uint_eq(look_number(look), 1);
}
END_TEST

START_TEST(asks_again_once_the_answer_is_old)
{
    open_pairs(1);
    ck_assert(look_is_quiet(look, ends[0][0], now, LONG_US, 0));
    say(0);
    now += 1000;
    ck_assert(look_is_quiet(look, ends[0][0], now, 1000, 0));
    now++;
    ck_assert(!look_is_quiet(look, ends[0][0], now, 1000, 0));
    ck_assert_uint_eq(look_number(look), 2);
}
END_TEST

/* Something was read: the end may be right behind it. */
START_TEST(asks_again_after_a_read)
{
    open_pairs(2);
    say(0);
    ck_assert(!is_quiet_now(0));
    hear(0);
    close(ends[0][1]);
    uint64_t seen = look_number(look);
    ck_assert(!look_is_quiet(look, ends[0][0], now, LONG_US, seen));
    ck_assert_uint_eq(look_number(look), seen + 1);
    ck_assert(look_is_quiet(look, ends[1][0], now, LONG_US, 0));
    ck_assert_uint_eq(look_number(look), seen + 1);
}
END_TEST

/* A descriptor that was closed is forgotten, and its number may be another's. */
START_TEST(forgets_what_was_closed)
{
    open_pairs(1);
    say(0);
    ck_assert(!is_quiet_now(0));
    int fd = ends[0][0];
    close(ends[0][0]);
    close(ends[0][1]);
    open_pairs(1);
    ck_assert_int_eq(ends[0][0], fd);
    ck_assert(is_quiet_now(0));
}
END_TEST

/* If more is unread than one answer can name, nothing is called quiet. */
START_TEST(claims_nothing_that_it_cannot_know)
{
    begin();
    open_pairs(PAIRS);
    for (size_t i = 1; i < PAIRS; i++)
        say(i);
    for (size_t i = 0; i < PAIRS; i++)
        ck_assert(!is_quiet_now(i));
    for (size_t i = 100; i < PAIRS; i++)
        hear(i);
    ck_assert(is_quiet_now(0));
    ck_assert(is_quiet_now(PAIRS - 1));
    ck_assert(!is_quiet_now(99));
    finish();
}
END_TEST

START_TEST(refuses_what_cannot_be_watched)
{
    ck_assert(!look_add(look, -1));
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(tells_bytes_and_ends);
    TEST(asks_once_for_all);
    TEST(asks_again_once_the_answer_is_old);
    TEST(asks_again_after_a_read);
    TEST(forgets_what_was_closed);
    TEST(refuses_what_cannot_be_watched);
    FIXTURE(NULL, NULL);
    TEST(claims_nothing_that_it_cannot_know);
}
