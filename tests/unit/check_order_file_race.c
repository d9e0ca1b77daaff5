/* What happens to the file of an order journal while a line is being written to it: it is given up,
 * another life appends, it is cut off. write() is this program's own, so that each can be had within
 * one. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "order_file_fixture.h"
#include "suite.h"

static struct order_file *mine, *other;

/* What happens within the next write, before and after the kernel takes it. */
static void (*before)(void), (*after)(void);
static bool takes_nothing; /* the kernel, and says so without an error */

static void once(void (**what)(void))
{
    void (*now)(void) = *what;
    *what = NULL;
    if (now)
        now();
}

ssize_t write(int fd, const void *data, size_t len)
{
    if (takes_nothing) {
        errno = 0;
        return 0;
    }
    void (*then)(void) = after; /* before any write that comes within this one */
    after = NULL;
    once(&before);
    ssize_t n = syscall(SYS_write, fd, data, len);
    once(&then);
    return n;
}

/* All that is read; "" if there is nothing. */
static const char *taken(struct order_file *f)
{
    static struct text all;
    struct text piece = {0};
    text_clear(&all);
    text_add_str(&all, "");
    while (order_file_take_others(f, &piece))
        text_add(&all, text_span(&piece));
    text_free(&piece);
    return all.at;
}

/* Likewise, without the lines of its own, which may be among them: they begin with "my". */
static const char *told(struct order_file *f)
{
    static struct text others;
    struct span rest = span_of(taken(f));
    text_clear(&others);
    text_add_str(&others, "");
    for (size_t end; rest.len; rest = span_from(rest, end + 1)) {
        end = span_find(rest, '\n');
        if (!span_starts(rest, SPAN("my ")))
            text_add(&others, span_first(rest, end + 1));
    }
    return others.at;
}

static void begin(void)
{
    begin_folder();
    other = NULL;
    before = after = NULL;
    takes_nothing = false;
    mine = opened(LIFE);
    append(mine, "my first line\n");
}

static void finish(void)
{
    order_file_close(mine);
    order_file_close(other);
    end_folder();
}

static void give_up(void)
{
    order_file_give_up(mine);
}

static void give_up_and_let_append(void)
{
    order_file_give_up(mine);
    other = opened(OTHER);
    append(other, "other\n");
}

static void let_append(void)
{
    append(other, "other\n");
}

static void cut_off_and_let_append(void)
{
    give_up_and_let_append();
    ck_assert_int_eq(truncate(path, 0), 0);
    append(other, "anew\n");
}

static void cut_off(void)
{
    ck_assert_int_eq(truncate(path, 0), 0);
}

/* Nothing of others has come: its own lines are not read from the beginning, as those of a file that
 * was cut off would be. */
START_TEST(given_up_behind_a_write)
{
    after = give_up;
    append(mine, "my b\n");
    ck_assert_str_eq(taken(mine), "");
    other = opened(OTHER);
    append(other, "other\n");
    append(mine, "my c\n");
    ck_assert_str_eq(taken(mine), "other\n");
    append(mine, "my d\n");
    ck_assert_str_eq(told(mine), "");
}
END_TEST

/* What another life wrote within the write is told with it, and not when the next line is written:
 * there may be none. */
START_TEST(given_up_within_a_write)
{
    before = give_up_and_let_append;
    append(mine, "my b\n");
    ck_assert_str_eq(taken(mine), "other\n");
    append(mine, "my c\n");
    ck_assert_str_eq(told(mine), "");
}
END_TEST

/* What comes behind the write is told with the next one, once. */
START_TEST(another_life_appends_behind_a_write)
{
    after = give_up_and_let_append;
    append(mine, "my b\n");
    ck_assert_str_eq(taken(mine), "");
    before = let_append;
    append(mine, "my c\n");
    ck_assert_str_eq(told(mine), "other\nother\n");
    append(mine, "my d\n");
    ck_assert_str_eq(told(mine), "");
}
END_TEST

START_TEST(cut_off_within_a_write)
{
    before = cut_off_and_let_append;
    append(mine, "my b\n");
    ck_assert_str_eq(taken(mine), "anew\n");
    append(mine, "my c\n");
    ck_assert_str_eq(told(mine), "");
}
END_TEST

/* The line that was written is gone with the others; what comes then is told. */
START_TEST(cut_off_behind_a_write)
{
    give_up_and_let_append();
    append(mine, "my b\n");
    ck_assert_str_eq(told(mine), "other\n");
    after = cut_off;
    append(mine, "my c\n");
    ck_assert_str_eq(told(mine), "");
    append(other, "anew\n");
    append(mine, "my d\n");
    ck_assert_str_eq(told(mine), "anew\n");
}
END_TEST

/* It is an error like others: not success, and no reason to go on for ever. check writes to files of its
 * own, so nothing is asserted meanwhile. */
START_TEST(a_write_that_takes_nothing)
{
    size_t written = 7;
    takes_nothing = true;
    int error = order_file_append(mine, SPAN("my a\n"), &written);
    takes_nothing = false;
    ck_assert_int_eq(error, EIO);
    ck_assert_uint_eq(written, 0);
    append(mine, "my b\n");
    contains("my first line\nmy b\n");
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(a_write_that_takes_nothing);
    TEST(given_up_behind_a_write);
    TEST(given_up_within_a_write);
    TEST(another_life_appends_behind_a_write);
    TEST(cut_off_within_a_write);
    TEST(cut_off_behind_a_write);
}
