/* A file that follows changes: when it is written, what waiters hear, what another process wrote,
 * and what happens while it cannot be written. */
#include "net/saved_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "until.h"

static char folder[64], path[80];
static struct loop *loop;
static struct saved_file *file;
static unsigned composed;
static char words[40], merged[100];
static bool makes_sense;

static void compose(void *owner, struct text *to)
{
    ck_assert_ptr_eq(owner, words);
    composed++;
    text_printf(to, "%s%s", words, merged);
}

static bool merge(void *owner, struct span theirs)
{
    ck_assert_ptr_eq(owner, words);
    if (makes_sense)
        snprintf(merged, sizeof merged, "+%.*s", SPAN_ARG(theirs));
    return makes_sense;
}

static void open_file(void)
{
    static const struct saved_file_events events = {compose, merge};
    file = saved_file_new(loop, path, &events, words);
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/check_saved_file.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(words, sizeof words, "one");
    *merged = '\0';
    composed = 0;
    makes_sense = true;
    loop = loop_new();
    open_file();
}

static void finish(void)
{
    char command[100];
    if (file)
        saved_file_free(file);
    file = NULL;
    loop_turn(loop, false);
    loop_free(loop);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *content)
{
    FILE *f = fopen(path, "w");
    fputs(content, f);
    fclose(f);
}

static bool holds(const char *expected)
{
    struct text t = {0};
    struct file_mark unused;
    bool same =
        whole_file_read(path, &t, &unused) == 0 && span_is(text_span(&t), span_of(expected));
    text_free(&t);
    return same;
}

struct asker {
    struct save_waiter waiter;
    int heard; /* how often */
    bool saved;
};

static void done(struct save_waiter *w, bool saved)
{
    struct asker *a = container_of(w, struct asker, waiter);
    a->heard++;
    a->saved = saved;
}

static struct asker ask(void)
{
    return (struct asker){.waiter = {.done = done}};
}

START_TEST(a_change_is_written_soon)
{
    ck_assert(!holds("one"));
    saved_file_change(file, 10);
    UNTIL(holds("one"));
    UNTIL(saved_file_view(file).written_s != 0);
    ck_assert_str_eq(saved_file_view(file).path, path);
    ck_assert_ptr_null(saved_file_view(file).error);
    ck_assert_uint_eq(saved_file_view(file).failures, 0);
    ck_assert_uint_eq(composed, 1);
}
END_TEST

START_TEST(many_changes_are_written_together)
{
    loop_hold(loop);
    for (int i = 0; i < 1000; i++)
        saved_file_change(file, i % 2 ? 50 : 2000);
    loop_skip(loop, 49);
    turn_for(loop, 1);
    ck_assert_uint_eq(composed, 0);
    loop_skip(loop, 1);
    UNTIL(holds("one"));
    UNTIL(saved_file_view(file).written_s != 0);
    ck_assert_uint_eq(composed, 1);
    saved_file_change(file, 0);
    loop_skip(loop, 50);
    turn_for(loop, 1);
    ck_assert_uint_eq(composed, 1); /* not so soon after the last time */
    loop_skip(loop, 50);
    UNTIL(composed == 2);
}
END_TEST

START_TEST(a_waiter_hears_when_the_file_has_its_change)
{
    struct asker a = ask(), b = ask();
    ck_assert(!saved_file_wait(file, &a.waiter));
    saved_file_change(file, 60000);
    ck_assert(saved_file_wait(file, &a.waiter));
    ck_assert(saved_file_wait(file, &b.waiter));
    save_waiter_forget(&b.waiter);
    ck_assert_int_eq(a.heard, 0);
    UNTIL(a.heard);
    ck_assert(a.saved && holds("one"));
    ck_assert_int_eq(a.heard, 1);
    ck_assert_int_eq(b.heard, 0);
    ck_assert(!saved_file_wait(file, &b.waiter));
}
END_TEST

/* Changes without an end do not keep a waiter waiting. */
START_TEST(a_waiter_does_not_wait_for_later_changes)
{
    struct asker a = ask();
    saved_file_change(file, 0);
    ck_assert(saved_file_wait(file, &a.waiter));
    UNTIL(composed == 1);
    saved_file_change(file, 60000);
    UNTIL(a.heard);
    ck_assert(a.saved);
    ck_assert_uint_eq(composed, 1);
}
END_TEST

START_TEST(a_waiter_hears_at_once_that_it_cannot_be_written)
{
    struct asker a = ask(), b = ask();
    ck_assert_int_eq(mkdir(path, 0700), 0);
    saved_file_change(file, 0);
    ck_assert(saved_file_wait(file, &a.waiter));
    UNTIL(a.heard);
    ck_assert(!a.saved);
    struct saved_file_view view = saved_file_view(file);
    ck_assert_ptr_nonnull(view.error);
    ck_assert_uint_ge(view.failures, 1);
    ck_assert_int_eq(view.written_s, 0);
    ck_assert_int_eq(rmdir(path), 0);
    UNTIL(holds("one"));
    UNTIL(saved_file_view(file).error == NULL);
    ck_assert(!saved_file_wait(file, &b.waiter));
}
END_TEST

START_TEST(a_waiter_waits_a_second_at_most)
{
    struct asker a = ask();
    loop_hold(loop);
    saved_file_change(file, 0);
    ck_assert(saved_file_wait(file, &a.waiter));
    loop_skip(loop, SAVE_WAIT_MS); /* its time is up before the thread has reported */
    UNTIL(a.heard);
    ck_assert_int_eq(a.heard, 1);
    UNTIL(saved_file_view(file).written_s != 0);
    ck_assert_int_eq(a.heard, 1);
}
END_TEST

START_TEST(what_another_process_wrote_is_merged)
{
    put("theirs");
    saved_file_change(file, 0);
    UNTIL(holds("one+theirs"));
    put("later");
    saved_file_change(file, 0);
    UNTIL(holds("one+later"));
    ck_assert_ptr_null(saved_file_view(file).aside);
    ck_assert_uint_eq(saved_file_view(file).failures, 0);
}
END_TEST

START_TEST(what_was_read_is_not_merged)
{
    struct text t = {0};
    put("known");
    ck_assert_int_eq(saved_file_read(file, &t), 0);
    text_free(&t);
    saved_file_change(file, 0);
    UNTIL(holds("one"));
}
END_TEST

START_TEST(nonsense_of_another_process_is_put_aside)
{
    makes_sense = false;
    put("nonsense");
    saved_file_change(file, 0);
    UNTIL(holds("one"));
    UNTIL(saved_file_view(file).aside != NULL);
    snprintf(path, sizeof path, "%s", saved_file_view(file).aside);
    ck_assert(holds("nonsense"));
}
END_TEST

START_TEST(a_damaged_file_is_put_aside)
{
    char was[sizeof path];
    memcpy(was, path, sizeof was);
    put("damaged");
    saved_file_put_aside(file);
    snprintf(path, sizeof path, "%s", saved_file_view(file).aside);
    ck_assert(holds("damaged"));
    memcpy(path, was, sizeof was);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_int_eq(unlink(saved_file_view(file).aside), 0);
    saved_file_put_aside(file); /* there is none any more: said, and that is all */
    saved_file_change(file, 0);
    UNTIL(holds("one"));
}
END_TEST

START_TEST(the_end_writes_the_rest)
{
    saved_file_change(file, 60000);
    saved_file_finish(file);
    ck_assert(holds("one"));
    ck_assert_uint_eq(composed, 1);
}
END_TEST

START_TEST(the_end_waits_for_a_write_under_way)
{
    put("theirs");
    saved_file_change(file, 0);
    UNTIL(composed >= 1);
    snprintf(words, sizeof words, "two");
    saved_file_change(file, 60000);
    saved_file_finish(file);
    ck_assert(holds("two+theirs"));
}
END_TEST

START_TEST(the_end_comes_even_if_it_cannot_be_written)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
    saved_file_change(file, 60000);
    saved_file_finish(file);
    ck_assert_ptr_nonnull(saved_file_view(file).error);
}
END_TEST

START_TEST(it_may_be_freed_while_it_writes)
{
    struct asker a = ask();
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0); /* so that the write lasts */
    saved_file_change(file, 0);
    ck_assert(saved_file_wait(file, &a.waiter));
    UNTIL(composed == 1);
    saved_file_free(file);
    ck_assert(a.heard == 1 && !a.saved);
    file = NULL;
    close(fd);
    turn_for(loop, 5);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(a_change_is_written_soon);
    TEST(many_changes_are_written_together);
    TEST(a_waiter_hears_when_the_file_has_its_change);
    TEST(a_waiter_does_not_wait_for_later_changes);
    TEST(a_waiter_hears_at_once_that_it_cannot_be_written);
    TEST(a_waiter_waits_a_second_at_most);
    TEST(what_another_process_wrote_is_merged);
    TEST(what_was_read_is_not_merged);
    TEST(nonsense_of_another_process_is_put_aside);
    TEST(a_damaged_file_is_put_aside);
    TEST(the_end_writes_the_rest);
    TEST(the_end_waits_for_a_write_under_way);
    TEST(the_end_comes_even_if_it_cannot_be_written);
    TEST(it_may_be_freed_while_it_writes);
}
