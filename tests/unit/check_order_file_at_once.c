/* Lines that are appended without waiting: what is taken in part is completed, and what is refused is
 * left. pwritev2() is this program's own, so that each can be had on any file system; write() as well,
 * for what happens meanwhile. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proxy/order_file.h"
#include "suite.h"

#define LIFE "06f3k9d2q4ab"
#define OTHER "06f3k9d2q4ac"

static char folder[64], path[96];
static struct order_file *mine, *other;
static size_t takes; /* bytes, at once */
static int refusal;  /* an errno; 0: none */
static int tries;
static int write_error;         /* of what waits; 0: none */
static void (*meanwhile)(void); /* before the next write() */

ssize_t pwritev2(int fd, const struct iovec *at, int count, off_t place, int flags)
{
    ck_assert(count == 1 && place == -1 && flags == RWF_NOWAIT);
    tries++;
    if (refusal) {
        errno = refusal;
        return -1;
    }
    return syscall(SYS_write, fd, at->iov_base, at->iov_len < takes ? at->iov_len : takes);
}

ssize_t write(int fd, const void *data, size_t len)
{
    void (*now)(void) = meanwhile;
    meanwhile = NULL;
    if (now)
        now();
    if (write_error && fd > STDERR_FILENO) {
        errno = write_error;
        return -1;
    }
    return syscall(SYS_write, fd, data, len);
}

static struct order_file *opened(const char *life)
{
    char error[200] = "";
    struct order_file *f = order_file_open(path, life, error, sizeof error);
    ck_assert_msg(f != NULL, "%s", error);
    return f;
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/order_at_once.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/orders", folder);
    takes = SIZE_MAX;
    refusal = tries = write_error = 0;
    meanwhile = NULL;
    other = NULL;
    mine = opened(LIFE);
}

static void finish(void)
{
    order_file_close(mine);
    order_file_close(other);
    unlink(path);
    rmdir(folder);
}

static size_t at_once(const char *lines)
{
    return order_file_append_at_once(mine, span_of(lines));
}

static void append(struct order_file *f, const char *lines)
{
    size_t written;
    ck_assert_int_eq(order_file_append(f, span_of(lines), &written), 0);
    ck_assert_uint_eq(written, strlen(lines));
}

/* All but what is to come. */
static void append_fails(const char *lines, size_t expected)
{
    size_t written;
    write_error = ENOSPC;
    int error = order_file_append(mine, span_of(lines), &written);
    write_error = 0;
    ck_assert_int_eq(error, ENOSPC);
    ck_assert_uint_eq(written, expected);
}

static void contains(const char *expected)
{
    char found[4096] = "";
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    size_t len = fread(found, 1, sizeof found - 1, f);
    found[len] = '\0';
    fclose(f);
    ck_assert_str_eq(found, expected);
}

START_TEST(all_is_taken)
{
    ck_assert_uint_eq(at_once("a\nb\n"), 4);
    append(mine, "c\n");
    ck_assert_uint_eq(at_once("d\n"), 2);
    contains("a\nb\nc\nd\n");
}
END_TEST

/* A page that is not there, a clock that has ticked: the next time it may be taken. */
START_TEST(what_would_wait_is_refused)
{
    refusal = EAGAIN;
    ck_assert_uint_eq(at_once("a\n"), 0);
    refusal = ENOSPC;
    ck_assert_uint_eq(at_once("a\n"), 0);
    refusal = 0;
    ck_assert_uint_eq(at_once("a\n"), 2);
    contains("a\n");
}
END_TEST

/* A file system that cannot, an old kernel, a filter of system calls. */
START_TEST(what_is_not_offered_is_tried_once)
{
    refusal = (int[]){EOPNOTSUPP, EINVAL, ENOSYS, EPERM}[_i];
    ck_assert_uint_eq(at_once("a\n"), 0);
    ck_assert_uint_eq(at_once("a\n"), 0);
    ck_assert_int_eq(tries, 1);
    append(mine, "a\n");
    contains("a\n");
}
END_TEST

START_TEST(a_line_taken_in_part_is_completed)
{
    takes = 5;
    ck_assert_uint_eq(at_once("one\ntwo\nthree\n"), 5);
    ck_assert_uint_eq(at_once("two\nthree\n"), 0); /* the rest would be behind another line */
    append(mine, "two\nthree\n");
    contains("one\ntwo\nthree\n");
    takes = SIZE_MAX;
    ck_assert_uint_eq(at_once("four\n"), 5);
    contains("one\ntwo\nthree\nfour\n");
}
END_TEST

START_TEST(lines_taken_whole_leave_the_others)
{
    takes = 4;
    ck_assert_uint_eq(at_once("one\ntwo\n"), 4);
    append(mine, "two\n");
    contains("one\ntwo\n");
}
END_TEST

/* It counts as written: the next line ends it, and it does not come again. */
START_TEST(a_line_that_lacks_its_end_only_is_ended)
{
    takes = 3;
    ck_assert_uint_eq(at_once("one\ntwo\n"), 3);
    append(mine, "two\n");
    contains("one\ntwo\n");
}
END_TEST

/* The rest of the line has no room: a part of it stays, is counted, and is ended later. */
START_TEST(a_line_that_cannot_be_completed_is_ended)
{
    takes = 2;
    ck_assert_uint_eq(at_once("one\n"), 2);
    append_fails("one\ntwo\n", 2);
    append(mine, "one\n");
    contains("on\none\n");
}
END_TEST

START_TEST(where_another_daemon_may_append_all_waits)
{
    order_file_give_up(mine);
    ck_assert_uint_eq(at_once("a\n"), 0);
    ck_assert_int_eq(tries, 0);
}
END_TEST

static void let_another_append(void)
{
    order_file_give_up(mine);
    other = opened(OTHER);
    append(other, "other\n");
}

/* Given up to another daemon, which has ended it, before it is completed and just then: it is written
 * anew. */
START_TEST(a_line_that_another_daemon_has_ended_is_written_anew)
{
    takes = 2;
    ck_assert_uint_eq(at_once("one\n"), 2);
    if (_i == 0)
        let_another_append();
    else
        meanwhile = let_another_append;
    append(mine, "one\ntwo\n");
    contains(_i == 0 ? "on\nother\none\ntwo\n" : "on\nother\ne\none\ntwo\n");
}
END_TEST

static void give_up_to_another(void)
{
    order_file_give_up(mine);
    other = opened(OTHER);
}

/* Given up just before it is completed, to another daemon that has appended nothing: that one is told
 * of the whole line, since it has read a part of it at most. */
START_TEST(a_line_that_was_not_whole_when_another_came_is_told)
{
    struct text piece = {0};
    append(mine, _i == 0 ? "" : "zero\n");
    takes = 2;
    ck_assert_uint_eq(at_once("one\n"), 2);
    meanwhile = give_up_to_another;
    append(mine, "one\ntwo\n");
    contains(_i == 0 ? "one\ntwo\n" : "zero\none\ntwo\n");
    append(other, "other\n");
    ck_assert(order_file_take_others(other, &piece));
    ck_assert_msg(span_is(text_span(&piece), SPAN("one\ntwo\n")), "%.*s", (int)piece.len, piece.at);
    text_free(&piece);
}
END_TEST

START_TEST(a_pipe_is_not_asked)
{
    order_file_close(mine);
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    FILE *reader = fopen(path, "r+");
    mine = opened(LIFE);
    ck_assert_uint_eq(at_once("a\n"), 0);
    ck_assert_int_eq(tries, 0);
    fclose(reader);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(all_is_taken);
    TEST(what_would_wait_is_refused);
    LOOP(what_is_not_offered_is_tried_once, 0, 4);
    TEST(a_line_taken_in_part_is_completed);
    TEST(lines_taken_whole_leave_the_others);
    TEST(a_line_that_lacks_its_end_only_is_ended);
    TEST(a_line_that_cannot_be_completed_is_ended);
    TEST(where_another_daemon_may_append_all_waits);
    LOOP(a_line_that_another_daemon_has_ended_is_written_anew, 0, 2);
    LOOP(a_line_that_was_not_whole_when_another_came_is_told, 0, 2);
    TEST(a_pipe_is_not_asked);
}
