/* Lines are appended whole or marked as cut, and its locks say who writes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "order_file_fixture.h"
#include "suite.h"

START_TEST(it_appends)
{
    struct order_file *f = opened(LIFE);
    append(f, "a\nb\n");
    append(f, "c\n");
    ck_assert_int_eq(order_file_sync(f), 0);
    order_file_close(f);
    f = opened(OTHER);
    append(f, "d\n");
    order_file_close(f);
    contains("a\nb\nc\nd\n");
}
END_TEST

START_TEST(others_may_not_read_it)
{
    struct stat about;
    umask(0);
    order_file_close(opened(LIFE));
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0640);
}
END_TEST

START_TEST(a_line_that_was_cut_off_is_ended)
{
    FILE *f = fopen(path, "w");
    fputs("a\nhal", f);
    fclose(f);
    struct order_file *o = opened(LIFE);
    append(o, "b\n");
    order_file_close(o);
    contains("a\nhal\nb\n");
}
END_TEST

/* Appends while files may have `most` bytes. check writes what it is told to files of its own, so nothing is asserted
 * meanwhile. */
static int append_within(rlim_t most, struct order_file *f, const char *lines, size_t *written)
{
    struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    int got = getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit less = {most, before.rlim_max};
    int set = setrlimit(RLIMIT_FSIZE, &less);
    int error = order_file_append(f, span_of(lines), written);
    int reset = setrlimit(RLIMIT_FSIZE, &before);
    ck_assert_int_eq(got, 0);
    ck_assert_int_eq(set, 0);
    ck_assert_int_eq(reset, 0);
    return error;
}

/* What a full disk does: it takes a part, and when it has room again the rest goes on. */
START_TEST(a_full_disk_cuts_a_line)
{
    size_t written;
    struct order_file *f = opened(LIFE);
    ck_assert_int_eq(append_within(5, f, "abc\ndef\n", &written), EFBIG);
    ck_assert_uint_eq(written, 5);
    ck_assert_int_eq(append_within(5, f, "ghi\n", &written), EFBIG);
    ck_assert_uint_eq(written, 0);
    append(f, "ghi\n");
    append(f, "jkl\n");
    order_file_close(f);
    contains("abc\nd\nghi\njkl\n");
}
END_TEST

START_TEST(a_full_device_takes_nothing)
{
    size_t written;
    snprintf(path, sizeof path, "/dev/full");
    struct order_file *f = opened(LIFE), *second = opened(OTHER);
    ck_assert_int_eq(order_file_append(f, SPAN("abc\n"), &written), ENOSPC);
    ck_assert_uint_eq(written, 0);
    ck_assert_int_eq(order_file_sync(f), 0);
    order_file_close(second);
    order_file_close(f);
}
END_TEST

START_TEST(a_pipe_that_is_full_does_not_block)
{
    static char line[8192];
    size_t written;
    int error = 0;
    memset(line, 'x', sizeof line);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    FILE *reader = fopen(path, "r+");
    struct order_file *f = opened(LIFE);
    for (int i = 0; i < 1000 && !error; i++)
        error = order_file_append(f, (struct span){line, sizeof line}, &written);
    ck_assert_int_eq(error, EAGAIN);
    order_file_close(f);
    fclose(reader);
}
END_TEST

START_TEST(a_pipe_that_has_no_reader_cannot_be_opened)
{
    char error[200];
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_ptr_null(order_file_open(path, LIFE, error, sizeof error));
    ck_assert(!order_file_can_open(path, error, sizeof error));
}
END_TEST

START_TEST(two_daemons_do_not_share_it)
{
    char error[200];
    struct order_file *f = opened(LIFE);
    ck_assert_ptr_null(order_file_open(path, OTHER, error, sizeof error));
    ck_assert_str_eq(error, "another trunkline writes to it");
    order_file_close(f);
    order_file_close(opened(OTHER));
}
END_TEST

/* The next daemon begins while the one before it drains: each has its life's lock. */
START_TEST(the_next_one_may_have_it_before_the_end)
{
    struct order_file *f = opened(LIFE);
    order_file_give_up(f);
    order_file_give_up(f);
    struct order_file *next = opened(OTHER);
    FILE *reader = fopen(path, "r");
    ck_assert(order_file_is_written(fileno(reader), LIFE));
    ck_assert(order_file_is_written(fileno(reader), OTHER));
    append(f, "a\n");
    append(next, "b\n");
    order_file_close(f);
    ck_assert(!order_file_is_written(fileno(reader), LIFE));
    ck_assert(order_file_is_written(fileno(reader), OTHER));
    order_file_close(next);
    ck_assert(!order_file_is_written(fileno(reader), OTHER));
    fclose(reader);
    contains("a\nb\n");
}
END_TEST

/* The next one is killed within a line, before the orders of this one have ended (0), and once it
 * has been taken back (1). */
START_TEST(a_line_that_the_next_one_cut_off_is_ended)
{
    char error[200];
    struct order_file *f = opened(LIFE);
    append(f, "begin 1\n");
    order_file_give_up(f);
    append(f, "begin 2\n");
    struct order_file *next = opened(OTHER);
    append(next, "start\nbeg");
    order_file_close(next);
    ck_assert(_i == 0 || order_file_take_back(f, error, sizeof error));
    append(f, "end 1\n");
    append(f, "end 2\n");
    contains("begin 1\nbegin 2\nstart\nbeg\nend 1\nend 2\n");
    order_file_close(f);
}
END_TEST

/* The one before is cut off while the orders that it still has end. */
START_TEST(a_line_that_the_one_before_cut_off_is_ended)
{
    struct order_file *f = opened(LIFE);
    append(f, "begin 1\n");
    order_file_give_up(f);
    struct order_file *next = opened(OTHER);
    append(next, "start\n");
    append(f, "en");
    append(next, "begin 2\n");
    append(f, "end 1\nen");
    order_file_close(f);
    append(next, "end 2\n");
    append(next, "begin 3\n");
    contains("begin 1\nstart\nen\nbegin 2\nend 1\nen\nend 2\nbegin 3\n");
    order_file_close(next);
}
END_TEST

START_TEST(a_missing_folder_is_told)
{
    char error[200];
    snprintf(path, sizeof path, "%s/none/orders", folder);
    ck_assert_ptr_null(order_file_open(path, LIFE, error, sizeof error));
    ck_assert_str_eq(error, "No such file or directory");
    ck_assert(!order_file_can_open(path, error, sizeof error));
    ck_assert_str_eq(error, "No such file or directory");
}
END_TEST

START_TEST(looking_creates_nothing)
{
    char error[200];
    ck_assert(order_file_can_open(path, error, sizeof error));
    ck_assert_int_ne(access(path, F_OK), 0);
    struct order_file *f = opened(LIFE);
    ck_assert(order_file_can_open(path, error, sizeof error));
    order_file_close(f);
}
END_TEST

START_TEST(it_knows_whether_it_was_moved)
{
    char moved[100];
    snprintf(moved, sizeof moved, "%s.1", path);
    struct order_file *f = opened(LIFE);
    ck_assert(order_file_is_at(f, path));
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert(!order_file_is_at(f, path));
    struct order_file *next = opened(LIFE);
    ck_assert(!order_file_is_at(f, path));
    ck_assert(order_file_is_at(next, path));
    order_file_close(f);
    order_file_close(next);
}
END_TEST

static const char *taken(struct order_file *f)
{
    static char all[200];
    struct text piece = {0};
    all[0] = '\0';
    while (order_file_take_others(f, &piece))
        snprintf(all + strlen(all), sizeof all - strlen(all), "%.*s|", SPAN_ARG(text_span(&piece)));
    text_free(&piece);
    return all;
}

/* Each learns what the other has appended before its own last append, once; alone there is nothing. */
START_TEST(two_daemons_read_of_each_other)
{
    struct order_file *old = opened(LIFE);
    append(old, "a\n");
    ck_assert_str_eq(taken(old), "");
    order_file_give_up(old);
    struct order_file *new = opened(OTHER);
    append(old, "b\n");
    append(new, "c\n");
    append(old, "d\n");
    ck_assert_str_eq(taken(new), "b\n|");
    ck_assert_str_eq(taken(old), "b\nc\n|");
    ck_assert_str_eq(taken(old), "");
    order_file_close(old);
    append(new, "e\n"); /* the last time that there is something to know */
    ck_assert_str_eq(taken(new), "c\nd\n|");
    append(new, "f\n");
    ck_assert_str_eq(taken(new), "");
    order_file_close(new);
}
END_TEST

/* It was given up while its last append hung, behind which the older one had already ended. */
START_TEST(what_the_older_one_wrote_last_is_read)
{
    struct order_file *old = opened(LIFE);
    order_file_give_up(old);
    struct order_file *new = opened(OTHER);
    append(old, "a\n");
    order_file_close(old);
    append(new, "b\n");
    order_file_give_up(new);
    ck_assert_str_eq(taken(new), "a\n|");
    order_file_close(new);
}
END_TEST

/* A rotation that cuts the file off instead of renaming it. */
START_TEST(a_file_that_was_cut_off_is_read_from_its_beginning)
{
    struct order_file *old = opened(LIFE);
    append(old, "a long line, behind which the new one ends\n");
    order_file_give_up(old);
    struct order_file *new = opened(OTHER);
    ck_assert_int_eq(truncate(path, 0), 0);
    append(old, "b\n");
    append(new, "c\n");
    ck_assert_str_eq(taken(new), "b\n|");
    append(old, "d\n");
    ck_assert_str_eq(taken(old), "b\nc\n|");
    append(new, "e\n");
    ck_assert_str_eq(taken(new), "c\nd\n|");
    order_file_close(old);
    order_file_close(new);
}
END_TEST

/* A full disk: nothing says where the last append would have been. */
START_TEST(an_append_that_fails_reads_nothing)
{
    size_t written;
    struct order_file *old = opened(LIFE);
    append(old, "a\n");
    order_file_give_up(old);
    struct order_file *new = opened(OTHER);
    append(old, "b\n");
    ck_assert_int_eq(append_within(4, new, "c\n", &written), EFBIG);
    ck_assert_str_eq(taken(new), "");
    append(new, "c\n");
    ck_assert_str_eq(taken(new), "b\n|");
    order_file_close(old);
    order_file_close(new);
}
END_TEST

START_TEST(others_are_read_without_a_descriptor_left)
{
    struct rlimit before, few;
    struct order_file *old = opened(LIFE);
    order_file_give_up(old);
    struct order_file *new = opened(OTHER);
    append(old, "a\n");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    append(new, "b\n");
    const char *others = taken(new);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_str_eq(others, "a\n|");
    order_file_close(old);
    order_file_close(new);
}
END_TEST

/* One that has not appended for long reads what may still count, and all of that once. */
START_TEST(what_it_reads_is_bounded)
{
    static char line[1 << 20];
    struct text piece = {0};
    size_t all = 0;
    struct order_file *old = opened(LIFE);
    order_file_give_up(old);
    struct order_file *new = opened(OTHER);
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 2] = '\n';
    for (int i = 0; i < 40; i++)
        append(new, line);
    append(new, "last\n");
    append(old, "a\n");
    for (; order_file_take_others(old, &piece); all += piece.len)
        ck_assert_uint_le(piece.len, sizeof line);
    ck_assert_uint_eq(all, 32 << 20);
    append(new, "b\n");
    append(old, "c\n");
    ck_assert(order_file_take_others(old, &piece));
    ck_assert_uint_eq(piece.len, 4);
    text_free(&piece);
    order_file_close(old);
    order_file_close(new);
}
END_TEST

SUITE()
{
    FIXTURE(begin_folder, end_folder);
    TEST(it_appends);
    TEST(others_may_not_read_it);
    TEST(a_line_that_was_cut_off_is_ended);
    TEST(a_full_disk_cuts_a_line);
    TEST(a_full_device_takes_nothing);
    TEST(a_pipe_that_is_full_does_not_block);
    TEST(a_pipe_that_has_no_reader_cannot_be_opened);
    TEST(two_daemons_do_not_share_it);
    TEST(the_next_one_may_have_it_before_the_end);
    LOOP(a_line_that_the_next_one_cut_off_is_ended, 0, 2);
    TEST(a_line_that_the_one_before_cut_off_is_ended);
    TEST(a_missing_folder_is_told);
    TEST(looking_creates_nothing);
    TEST(it_knows_whether_it_was_moved);
    TEST(two_daemons_read_of_each_other);
    TEST(what_the_older_one_wrote_last_is_read);
    TEST(a_file_that_was_cut_off_is_read_from_its_beginning);
    TEST(an_append_that_fails_reads_nothing);
    TEST(others_are_read_without_a_descriptor_left);
    TEST(what_it_reads_is_bounded);
}
