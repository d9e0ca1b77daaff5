/* Small files: what is read, that a replacement is whole, that another process's file is noticed,
 * and that a file put aside replaces none. */
#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "suite.h"

static char folder[64], path[80];
static struct text content;
static struct file_mark mark;

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/check_whole_file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    mark = (struct file_mark){0};
}

static void finish(void)
{
    char command[100];
    text_free(&content);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *to, const char *words)
{
    FILE *f = fopen(to, "w");
    ck_assert_ptr_nonnull(f);
    fputs(words, f);
    fclose(f);
}

static int read_back(const char *from)
{
    struct file_mark unused;
    text_clear(&content);
    int error = whole_file_read(from, &content, &unused);
    text_add_str(&content, "");
    return error;
}

static void holds(const char *from, const char *words)
{
    ck_assert_int_eq(read_back(from), 0);
    ck_assert_str_eq(content.at, words);
}

START_TEST(a_file_is_made_and_replaced)
{
    struct stat st;
    char temporary[90];
    ck_assert_int_eq(whole_file_replace(path, SPAN("one"), &mark), 0);
    holds(path, "one");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(whole_file_replace(path, SPAN("second"), &mark), 0);
    holds(path, "second");
    snprintf(temporary, sizeof temporary, "%s.new", path);
    ck_assert_int_eq(access(temporary, F_OK), -1);
}
END_TEST

/* A process that was killed while it wrote leaves its temporary file. */
START_TEST(what_a_killed_process_left_is_no_hindrance)
{
    char temporary[90];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    put(temporary, "half of somethi");
    ck_assert_int_eq(whole_file_replace(path, SPAN("whole"), &mark), 0);
    holds(path, "whole");
    ck_assert_int_eq(access(temporary, F_OK), -1);
}
END_TEST

START_TEST(a_symbolic_link_in_place_of_the_temporary_file_is_not_followed)
{
    char temporary[90], victim[90];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    snprintf(victim, sizeof victim, "%s/victim", folder);
    put(victim, "precious");
    ck_assert_int_eq(symlink(victim, temporary), 0);
    ck_assert_int_eq(whole_file_replace(path, SPAN("whole"), &mark), 0);
    holds(path, "whole");
    holds(victim, "precious");
}
END_TEST

START_TEST(a_file_of_another_process_is_not_replaced_unseen)
{
    put(path, "theirs");
    ck_assert_int_eq(whole_file_replace(path, SPAN("ours"), &mark), ESTALE);
    holds(path, "theirs");
    ck_assert_int_eq(whole_file_read(path, &content, &mark), 0);
    ck_assert_int_eq(whole_file_replace(path, SPAN("ours"), &mark), 0);
    put(path, "theirs again");
    ck_assert_int_eq(whole_file_replace(path, SPAN("ours"), &mark), ESTALE);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(whole_file_replace(path, SPAN("ours"), &mark), 0);
    holds(path, "ours");
}
END_TEST

START_TEST(two_processes_do_not_replace_it_at_once)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(whole_file_replace(path, SPAN("ours"), &mark), EBUSY);
    close(fd);
    ck_assert_int_eq(whole_file_replace(path, SPAN("ours"), &mark), 0);
}
END_TEST

START_TEST(what_cannot_be_read_says_why)
{
    ck_assert_int_eq(read_back(path), ENOENT);
    ck_assert_int_eq(read_back(folder), EISDIR);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(read_back(path), EINVAL);
    ck_assert_int_eq(unlink(path), 0);
    put(path, "");
    holds(path, "");
    ck_assert_int_eq(truncate(path, WHOLE_FILE_MOST), 0);
    ck_assert_int_eq(read_back(path), 0);
    ck_assert_int_eq(truncate(path, WHOLE_FILE_MOST + 1), 0);
    ck_assert_int_eq(read_back(path), EFBIG);
}
END_TEST

START_TEST(what_cannot_be_written_says_why)
{
    char other[200], longest[300];
    snprintf(other, sizeof other, "%s/none/file", folder);
    ck_assert_int_eq(whole_file_replace(other, SPAN("x"), &mark), ENOENT);
    ck_assert_int_eq(whole_file_check(other), ENOENT);
    snprintf(other, sizeof other, "%s/", folder);
    ck_assert_int_eq(whole_file_check(other), EISDIR);
    ck_assert_int_eq(whole_file_check(path), 0);
    ck_assert_int_eq(whole_file_check("relative"), 0);
    snprintf(longest, sizeof longest, "%s/%0250d", folder, 0);
    ck_assert_int_eq(whole_file_check(longest), 0);
    snprintf(longest, sizeof longest, "%s/%0252d", folder, 0);
    ck_assert_int_eq(whole_file_check(longest), ENAMETOOLONG);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(whole_file_read(path, &content, &mark), EISDIR);
    ck_assert_int_eq(whole_file_replace(path, SPAN("x"), &mark), EISDIR);
}
END_TEST

START_TEST(a_file_put_aside_replaces_none)
{
    char first[200], second[200], third[200];
    put(path, "one");
    ck_assert_int_eq(whole_file_put_aside(path, 1764230400, first, sizeof first), 0);
    ck_assert_ptr_nonnull(strstr(first, "/file.damaged-20251127T080000Z"));
    put(path, "two");
    ck_assert_int_eq(whole_file_put_aside(path, 1764230400, second, sizeof second), 0);
    put(path, "three");
    ck_assert_int_eq(whole_file_put_aside(path, 1764230400, third, sizeof third), 0);
    holds(first, "one");
    holds(second, "two");
    holds(third, "three");
    ck_assert_int_eq(read_back(path), ENOENT);
    ck_assert_int_eq(whole_file_put_aside(path, 1764230400, first, sizeof first), ENOENT);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(a_file_is_made_and_replaced);
    TEST(what_a_killed_process_left_is_no_hindrance);
    TEST(a_symbolic_link_in_place_of_the_temporary_file_is_not_followed);
    TEST(a_file_of_another_process_is_not_replaced_unseen);
    TEST(two_processes_do_not_replace_it_at_once);
    TEST(what_cannot_be_read_says_why);
    TEST(what_cannot_be_written_says_why);
    TEST(a_file_put_aside_replaces_none);
}
