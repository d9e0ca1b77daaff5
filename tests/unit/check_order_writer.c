/* Lines are appended by the loop while nothing has to be waited for, and by the thread otherwise;
 * each outcome is told once, in order, and from no call. */
#include "proxy/order_writer.h"

#include "order_disk.h"
#include "suite.h"
#include "until.h"

#define LINES 6

static struct loop *loop;
static struct order_writer *writer;
static struct order_writing lines[LINES];
static struct text told; /* "1 written; 2 unsure; " */

static void on_outcome(void *owner, struct order_writing *w)
{
    static const char *const words[] = {"written", "unwritten", "unsure"};
    (void)owner;
    text_printf(&told, "%d %s; ", (int)(w - lines), words[w->outcome]);
}

static void on_other(void *owner, const struct order_other *o)
{
    (void)owner, (void)o;
    ck_abort();
}

static struct order_file *new_file(void)
{
    char error[8];
    return order_file_open("/orders", LIFE, error, sizeof error);
}

static void begin(void)
{
    static const struct order_writer_events events = {on_outcome, on_other};
    text_clear(&content);
    text_add_str(&content, "");
    text_clear(&told);
    text_add_str(&told, "");
    memset(lines, 0, sizeof lines);
    for (int i = 0; i < LINES; i++)
        text_printf(&lines[i].line, "line %d\n", i);
    opened = closed = appends = 0;
    at_once = SIZE_MAX;
    begun = 0;
    room = SIZE_MAX;
    stopped = stops_again = false;
    uv_mutex_init(&disk);
    uv_cond_init(&disk_moves);
    loop = loop_new();
    writer = order_writer_new(loop, new_file(), &events, NULL);
    order_writer_allow(writer, true);
}

static void finish(void)
{
    set_disk(SIZE_MAX, 0, false);
    order_writer_free(writer);
    loop_run(loop);
    loop_free(loop);
    ck_assert_int_eq(opened, closed);
    for (int i = 0; i < LINES; i++)
        text_free(&lines[i].line);
}

static void give(int from, int end)
{
    struct list given;
    list_init(&given);
    for (int i = from; i < end; i++)
        list_push_back(&given, &lines[i].link);
    order_writer_give(writer, &given);
    ck_assert_uint_eq(given.count, 0);
}

static void all_told(void)
{
    UNTIL(order_writer_count(writer) == 0);
}

/* The thread has come to sleep when it has written a line, and the loop one without it. */
static void settle(void)
{
    UNTIL((appends = 0, give(0, 1), all_told(), appends == 0));
    text_clear(&told);
    text_clear(&content);
    text_add_str(&told, "");
    text_add_str(&content, "");
}

START_TEST(the_loop_writes_what_need_not_wait)
{
    settle();
    set_disk(SIZE_MAX, 0, true); /* the thread could not */
    give(1, 4);
    ck_assert_str_eq(told.at, "");
    ck_assert_uint_eq(order_writer_count(writer), 3);
    loop_turn(loop, false);
    ck_assert_str_eq(told.at, "1 written; 2 written; 3 written; ");
    ck_assert_str_eq(content.at, "line 1\nline 2\nline 3\n");
    ck_assert_int_eq(appends, 0);
}
END_TEST

/* What may wait for a frozen file system is not for the loop, unless it is told so. */
START_TEST(unless_allowed_all_goes_to_the_thread)
{
    settle();
    order_writer_allow(writer, false);
    give(1, 4);
    all_told();
    ck_assert_str_eq(told.at, "1 written; 2 written; 3 written; ");
    ck_assert_int_eq(appends, 1);
}
END_TEST

START_TEST(what_is_refused_goes_to_the_thread)
{
    settle();
    at_once = 0;
    give(1, 3);
    at_once = SIZE_MAX;
    give(3, 4); /* behind them */
    all_told();
    ck_assert_str_eq(told.at, "1 written; 2 written; 3 written; ");
    ck_assert_str_eq(content.at, "line 1\nline 2\nline 3\n");
    ck_assert_int_gt(appends, 0);
}
END_TEST

/* The thread hangs: the loop does not write behind its back. */
START_TEST(the_file_is_the_threads_while_it_writes)
{
    settle();
    at_once = 0;
    set_disk(SIZE_MAX, 0, true);
    give(1, 2);
    at_once = SIZE_MAX;
    give(2, 3);
    ck_assert_str_eq(content.at, "");
    set_disk(SIZE_MAX, 0, false);
    all_told();
    ck_assert_str_eq(content.at, "line 1\nline 2\n");
}
END_TEST

/* After so many bytes: between two lines, and within the second. */
START_TEST(the_rest_goes_to_the_thread)
{
    settle();
    at_once = (size_t[]){7, 10}[_i];
    give(1, 4);
    all_told();
    ck_assert_str_eq(told.at, "1 written; 2 written; 3 written; ");
    ck_assert_str_eq(content.at, "line 1\nline 2\nline 3\n");
    ck_assert_int_eq(appends, 1);
}
END_TEST

/* It is in the file in part, so that its owner must know what comes of it. */
START_TEST(a_line_in_the_file_in_part_is_not_taken_back)
{
    for (int i = 0; i < 20; i++) {
        settle();
        at_once = 3;
        give(1, 2);
        ck_assert(!order_writer_take_back(writer, &lines[1]));
        all_told();
        ck_assert_str_eq(told.at, "1 written; ");
        at_once = SIZE_MAX;
    }
}
END_TEST

START_TEST(a_line_whose_rest_has_no_room_is_unsure)
{
    settle();
    at_once = 10;
    set_disk(0, 0, false);
    give(1, 4);
    all_told();
    ck_assert_str_eq(told.at, "1 written; 2 unsure; 3 unwritten; ");
    ck_assert_int_eq(lines[2].error, ENOSPC);
    set_disk(SIZE_MAX, 0, false);
    at_once = 0;
    text_clear(&told);
    give(2, 3);
    UNTIL(told.len);
    ck_assert_str_eq(told.at, "2 written; ");
}
END_TEST

/* Those before it need not wait for it. */
START_TEST(a_line_that_syncs_is_the_threads)
{
    settle();
    set_disk(SIZE_MAX, 0, true);
    lines[2].syncs = true;
    give(1, 4);
    loop_turn(loop, false);
    ck_assert_str_eq(told.at, "1 written; ");
    set_disk(SIZE_MAX, 0, false);
    all_told();
    ck_assert_str_eq(told.at, "1 written; 3 written; 2 written; ");
}
END_TEST

START_TEST(so_is_a_switch_of_files)
{
    settle();
    text_clear(&lines[2].line);
    lines[2].switch_to = new_file();
    give(1, 4);
    all_told();
    ck_assert_str_eq(told.at, "1 written; 2 written; 3 written; ");
    ck_assert_str_eq(content.at, "line 1\n[/orders closed]\nline 3\n");
    settle();
    give(4, 5);
    loop_turn(loop, false);
    ck_assert_str_eq(content.at, "line 4\n");
    ck_assert_int_eq(appends, 0);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(the_loop_writes_what_need_not_wait);
    TEST(unless_allowed_all_goes_to_the_thread);
    TEST(what_is_refused_goes_to_the_thread);
    TEST(the_file_is_the_threads_while_it_writes);
    LOOP(the_rest_goes_to_the_thread, 0, 2);
    TEST(a_line_in_the_file_in_part_is_not_taken_back);
    TEST(a_line_whose_rest_has_no_room_is_unsure);
    TEST(a_line_that_syncs_is_the_threads);
    TEST(so_is_a_switch_of_files);
}
