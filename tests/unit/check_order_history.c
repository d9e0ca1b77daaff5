/* A journal's lines are paired, whatever else is in the file, and its locks decide what is open. */
#include "proxy/order_history.h"

#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "proxy/order_file.h"
#include "proxy/order_line.h"
#include "suite.h"

#define LIFE "06f3k9d2q4ab"
#define OTHER "06f3k9d2q4ac"
#define T0 1795770000

static char folder[64], path[96], rotated[96];
static struct order_history *history;
static char seen[4096]; /* what was told: "id fate;" of each */
static struct order_past last;

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/order_history.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/orders", folder);
    snprintf(rotated, sizeof rotated, "%s/orders.1", folder);
    seen[0] = '\0';
}

static void finish(void)
{
    char command[200];
    if (history)
        order_history_free(history);
    history = NULL;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_to(const char *file, struct span s)
{
    FILE *f = fopen(file, "a");
    ck_assert_uint_eq(fwrite(s.at, 1, s.len, f), s.len);
    fclose(f);
}

static const char *time_of(int64_t s)
{
    static struct order_clock clock;
    return order_clock_text(&clock, &(struct timespec){T0 + s, 0});
}

static struct request_id id_of(const char *life, int number)
{
    struct request_id id;
    snprintf(id.text, sizeof id.text, "%s-%d", life, number);
    return id;
}

static void add_begin(const char *file, int64_t s, const char *life, int number, const char *to)
{
    struct text line = {0};
    struct request_id id = id_of(life, number);
    const struct order_begin b = {.id = &id,
                                  .upstream = to,
                                  .client = "127.0.0.1:5",
                                  .method = SPAN("POST"),
                                  .target = SPAN("/order"),
                                  .ids = SPAN("{\"id\":\"x\"}"),
                                  .digest = "8a54c83a7036c66dcdaa8e5218a02676"};
    order_line_begin(&line, time_of(s), &b);
    write_to(file, text_span(&line));
    text_free(&line);
}

static void add_end(const char *file, int64_t s, const char *life, int number, enum sent sent,
                    bool unknown)
{
    struct text line = {0};
    struct request_id id = id_of(life, number);
    const struct order_end e = {.id = &id,
                                .sent = sent,
                                .status = unknown ? 504 : 200,
                                .error = unknown ? FAILURE_HTTP_RESPONSE_TIMEOUT : FAILURE_NONE,
                                .unknown = unknown,
                                .total_us = 1500};
    order_line_end(&line, time_of(s), &e);
    write_to(file, text_span(&line));
    text_free(&line);
}

static void tell(void *context, const struct order_past *p)
{
    (void)context;
    const char *dash = strchr(p->id, '-');
    size_t len = strlen(seen);
    snprintf(seen + len, sizeof seen - len, "%s%s %s;", len ? " " : "", dash + 1,
             order_fate_name(p->fate));
    last = *p;
}

static void read_with(struct order_wish wish, const char *file)
{
    char error[200];
    if (!history)
        history = order_history_new(&wish);
    ck_assert(order_history_read(history, file, error, sizeof error));
}

static void tells(const char *expected)
{
    seen[0] = '\0';
    order_history_each(history, tell, NULL);
    ck_assert_str_eq(seen, expected);
}

START_TEST(begin_and_end_are_paired)
{
    add_begin(path, 0, LIFE, 1, "kraken");
    add_begin(path, 1, LIFE, 2, "kraken");
    add_end(path, 2, LIFE, 2, SENT_YES, false);
    add_end(path, 3, LIFE, 1, SENT_NO, false);
    add_begin(path, 4, LIFE, 3, "binance");
    add_end(path, 9, LIFE, 3, SENT_YES, true);
    read_with((struct order_wish){0}, path);
    tells("1 known; 2 known; 3 unknown;");
    ck_assert_str_eq(last.upstream, "binance");
    ck_assert_str_eq(last.bot, "");
    ck_assert_str_eq(last.client, "127.0.0.1:5");
    ck_assert_str_eq(last.method, "POST");
    ck_assert_str_eq(last.target, "/order");
    ck_assert_str_eq(last.ids, "{\"id\":\"x\"}");
    ck_assert_str_eq(last.digest, "8a54c83a7036c66dcdaa8e5218a02676");
    ck_assert_str_eq(last.error, "http_response_timeout");
    ck_assert_uint_eq(last.status, 504);
    ck_assert_int_eq(last.sent, SENT_YES);
    ck_assert_int_eq(last.began_us, (int64_t)(T0 + 4) * 1000000);
    ck_assert_int_eq(last.ended_us, (int64_t)(T0 + 9) * 1000000);
    ck_assert(last.total_ms > 1.49 && last.total_ms < 1.51);
}
END_TEST

START_TEST(without_an_end_the_lock_decides)
{
    char error[200];
    add_begin(path, 0, LIFE, 1, "kraken");
    add_begin(path, 1, OTHER, 2, "kraken");
    struct order_file *f = order_file_open(path, OTHER, error, sizeof error);
    read_with((struct order_wish){0}, path);
    tells("1 unknown; 2 open;");
    ck_assert_int_eq(last.ended_us, 0);
    order_file_close(f);
    order_history_free(history);
    history = NULL;
    read_with((struct order_wish){0}, path);
    tells("1 unknown; 2 unknown;");
}
END_TEST

START_TEST(an_end_may_be_in_the_next_file)
{
    add_begin(rotated, 0, LIFE, 1, "kraken");
    add_end(path, 1, LIFE, 1, SENT_YES, false);
    read_with((struct order_wish){0}, rotated);
    read_with((struct order_wish){0}, path);
    tells("1 known;");
    ck_assert(order_history_begins(rotated) < order_history_begins(path));
}
END_TEST

START_TEST(an_end_without_begin_says_nothing)
{
    add_end(path, 1, LIFE, 1, SENT_YES, true);
    read_with((struct order_wish){0}, path);
    tells("");
    ck_assert_uint_eq(order_history_foreign(history), 0);
}
END_TEST

START_TEST(wishes_choose)
{
    add_begin(path, 0, LIFE, 1, "kraken");
    add_begin(path, 1, LIFE, 2, "binance");
    add_end(path, 1, LIFE, 2, SENT_YES, false);
    add_begin(path, 2, LIFE, 3, "kraken");
    add_end(path, 2, LIFE, 3, SENT_YES, true);
    add_begin(path, 3, LIFE, 4, "kraken");
    add_end(path, 4, LIFE, 4, SENT_YES, false);
    static const struct {
        struct order_wish wish;
        const char *expected;
    } cases[] = {
        {{.upstream = "kraken"}, "1 unknown; 3 unknown; 4 known;"},
        {{.undecided = true}, "1 unknown; 3 unknown;"},
        {{.since_us = (int64_t)(T0 + 2) * 1000000}, "3 unknown; 4 known;"},
        {{.most = 2}, "3 unknown; 4 known;"},
        {{.most = 100}, "1 unknown; 2 known; 3 unknown; 4 known;"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        read_with(cases[i].wish, path);
        tells(cases[i].expected);
        order_history_free(history);
        history = NULL;
    }
}
END_TEST

START_TEST(damaged_lines_are_counted)
{
    add_begin(path, 0, LIFE, 1, "kraken");
    write_to(path, SPAN("\n\n{\"t\":\"2026-11-27T09\n"));
    write_to(path, SPAN("hello\n"));
    add_end(path, 1, LIFE, 1, SENT_YES, false);
    write_to(path, SPAN("{\"t\":\"2026"));
    read_with((struct order_wish){0}, path);
    tells("1 known;");
    ck_assert_uint_eq(order_history_foreign(history), 3);
}
END_TEST

START_TEST(a_last_line_may_lack_its_end)
{
    char moved[100];
    add_begin(path, 0, LIFE, 1, "kraken");
    add_end(path, 1, LIFE, 1, SENT_YES, false);
    snprintf(moved, sizeof moved, "truncate -s -1 %s", path);
    ck_assert_int_eq(system(moved), 0);
    read_with((struct order_wish){0}, path);
    tells("1 known;");
    ck_assert_uint_eq(order_history_foreign(history), 0);
}
END_TEST

START_TEST(a_line_of_megabytes_is_one_foreign_line)
{
    static char long_line[3 * 1024 * 1024];
    memset(long_line, '{', sizeof long_line);
    add_begin(path, 0, LIFE, 1, "kraken");
    write_to(path, (struct span){long_line, sizeof long_line});
    write_to(path, SPAN("\n"));
    add_end(path, 1, LIFE, 1, SENT_YES, false);
    read_with((struct order_wish){0}, path);
    tells("1 known;");
    ck_assert_uint_eq(order_history_foreign(history), 1);
}
END_TEST

/* The place is found from the end of a file of several megabytes. */
START_TEST(what_is_old_is_not_read)
{
    struct text lines = {0};
    struct order_end e = {.sent = SENT_YES, .status = 200};
    for (int i = 0; i < 40000; i++) {
        struct request_id id = id_of(LIFE, i + 100);
        e.id = &id;
        order_line_end(&lines, time_of(i / 10), &e);
    }
    write_to(path, SPAN("damaged\n")); /* would be counted */
    write_to(path, text_span(&lines));
    text_free(&lines);
    add_begin(path, 3998, LIFE, 1, "kraken");
    add_begin(path, 3999, LIFE, 2, "kraken");
    read_with((struct order_wish){.since_us = (int64_t)(T0 + 3999) * 1000000}, path);
    tells("2 unknown;");
    ck_assert_uint_eq(order_history_foreign(history), 0);
    order_history_free(history);
    history = NULL;
    read_with((struct order_wish){.since_us = (int64_t)T0 * 1000000}, path);
    tells("1 unknown; 2 unknown;");
    ck_assert_uint_eq(order_history_foreign(history), 1);
}
END_TEST

START_TEST(an_older_journal_says_unknown_by_its_error)
{
    add_begin(path, 0, LIFE, 1, "kraken");
    write_to(path, SPAN("{\"t\":\"2026-11-27T09:00:01.000000Z\",\"id\":\"" LIFE
                        "-1\",\"ev\":\"end\",\"sent\":\"yes\",\"status\":504,\"error\":"
                        "\"http_response_timeout\",\"left\":false,\"total_ms\":1}\n"));
    read_with((struct order_wish){0}, path);
    tells("1 unknown;");
}
END_TEST

START_TEST(a_status_that_is_none_is_left_out)
{
    static const char *const statuses[] = {"1000", "-5", "70000", "0"};
    add_begin(path, 0, LIFE, 1, "kraken");
    char line[300];
    snprintf(line, sizeof line,
             "{\"t\":\"2026-11-27T09:00:01.000000Z\",\"id\":\"" LIFE
             "-1\",\"ev\":\"end\",\"sent\":\"yes\",\"status\":%s,\"error\":null,\"left\":false,"
             "\"unknown\":false,\"total_ms\":1}\n",
             statuses[_i]);
    write_to(path, span_of(line));
    read_with((struct order_wish){0}, path);
    tells("1 known;");
    ck_assert_uint_eq(last.status, 0);
}
END_TEST

START_TEST(a_missing_file_is_told)
{
    char error[200];
    history = order_history_new(&(struct order_wish){0});
    ck_assert(!order_history_read(history, path, error, sizeof error));
    ck_assert_ptr_nonnull(strstr(error, "No such file"));
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(begin_and_end_are_paired);
    TEST(without_an_end_the_lock_decides);
    TEST(an_end_may_be_in_the_next_file);
    TEST(an_end_without_begin_says_nothing);
    TEST(wishes_choose);
    TEST(damaged_lines_are_counted);
    TEST(a_last_line_may_lack_its_end);
    TEST(a_line_of_megabytes_is_one_foreign_line);
    TEST(what_is_old_is_not_read);
    TEST(an_older_journal_says_unknown_by_its_error);
    LOOP(a_status_that_is_none_is_left_out, 0, 4);
    TEST(a_missing_file_is_told);
}
