/* The access log: both formats, protection against forged lines, and writing outside the loop. */
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "front/access_log.h"
#include "suite.h"

static char directory[] = "/tmp/check_access_log.XXXXXX", path[100], old_path[100];
static struct loop *loop;
static struct worker *worker;
static const struct request_id id = {"06f3k9d2q4ab-17"};
static struct record record;

static void setup(void)
{
    snprintf(directory, sizeof directory, "/tmp/check_access_log.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/access.log", directory);
    snprintf(old_path, sizeof old_path, "%s/old.log", directory);
    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    worker = worker_new(loop);
    record = (struct record){.id = &id,
                             .bot = "grid1",
                             .client = "127.0.0.1:5",
                             .method = SPAN("GET"),
                             .upstream = "binance",
                             .target = SPAN("/api?symbol=BTC"),
                             .status = 200,
                             .bytes = 250,
                             .sent = SENT_YES,
                             .timing = {.reused = true,
                                        .protocol = "http/1.1",
                                        .hold_us = 7,
                                        .queue_us = 1,
                                        .dns_us = 20,
                                        .connect_us = 300,
                                        .tls_us = 4000,
                                        .ttfb_us = 50000},
                             .total_us = 1234567};
}

static void teardown(void)
{
    worker_free(worker);
    loop_run(loop);
    loop_free(loop);
    unlink(path);
    unlink(old_path);
    rmdir(directory);
}

static struct access_log *open_log(const char *where, enum config_log_format format)
{
    char error[200] = "";
    struct access_log *a = access_log_new(loop, worker, where, format, error, sizeof error);
    ck_assert_msg(a != NULL, "%s", error);
    return a;
}

static struct text read_path(const char *from)
{
    struct text t = {0};
    int fd = open(from, O_RDONLY);
    ck_assert_msg(fd >= 0, "no %s", from);
    for (ssize_t n; (n = read(fd, text_reserve(&t, 65536), 65536)) > 0;)
        text_added(&t, (size_t)n);
    close(fd);
    text_add_str(&t, "");
    return t;
}

/* The single line that the record produces. */
static struct text line_of(enum config_log_format format)
{
    struct access_log *a = open_log(path, format);
    access_log_write(a, &record);
    access_log_free(a);
    struct text t = read_path(path);
    ck_assert_uint_gt(t.len, 0);
    ck_assert_msg(strchr(t.at, '\n') == t.at + t.len - 1, "not one line: %s", t.at);
    unlink(path);
    return t;
}

static void expect_logfmt(const char *expected)
{
    struct text t = line_of(LOG_FORMAT_LOGFMT);
    ck_assert_msg(strstr(t.at, expected) != NULL, "%s is not in %s", expected, t.at);
    text_free(&t);
}

START_TEST(logfmt_has_all_fields)
{
    expect_logfmt(
        "Z client=127.0.0.1:5 method=GET upstream=binance target=\"/api?symbol=BTC\" "
        "status=200 bytes=250 reused=true protocol=http/1.1 cache=- error=- sent=yes "
        "hold_ms=0.007 queue_ms=0.001 dns_ms=0.020 connect_ms=0.300 tls_ms=4.000 ttfb_ms=50.000 "
        "total_ms=1234.567 bot=grid1 id=06f3k9d2q4ab-17\n");
    record = (struct record){.client = "unix",
                             .method = SPAN("POST"),
                             .target = SPAN("/a"),
                             .error = FAILURE_DNS_ERROR,
                             .status = 502};
    expect_logfmt(" client=unix method=POST upstream=- target=/a status=502 bytes=0 reused=false "
                  "protocol=- cache=- error=dns_error sent=no hold_ms=0.000");
    expect_logfmt(" bot=- id=-\n");
    record.status = 0;
    expect_logfmt(" status=- ");
}
END_TEST

START_TEST(json_has_all_fields)
{
    struct text t = line_of(LOG_FORMAT_JSON);
    json_t *o = json_loadb(t.at, t.len, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(o != NULL, "not JSON: %s", t.at);
    char keys[300] = "";
    const char *key;
    json_t *value;
    json_object_foreach (o, key, value) {
        strcat(strcat(keys, " "), key);
    }
    ck_assert_str_eq(
        keys, " time client method upstream target status bytes reused protocol cache "
              "error sent hold_ms queue_ms dns_ms connect_ms tls_ms ttfb_ms total_ms bot id");
    ck_assert_str_eq(json_string_value(json_object_get(o, "target")), "/api?symbol=BTC");
    ck_assert_int_eq(json_integer_value(json_object_get(o, "status")), 200);
    ck_assert(json_is_true(json_object_get(o, "reused")));
    ck_assert(json_is_null(json_object_get(o, "cache")));
    ck_assert(json_is_null(json_object_get(o, "error")));
    ck_assert_double_eq(json_real_value(json_object_get(o, "total_ms")), 1234.567);
    json_decref(o);
    text_free(&t);
}
END_TEST

START_TEST(time_is_utc_now_with_milliseconds)
{
    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    time_t before = time(NULL);
    struct text t = line_of(LOG_FORMAT_LOGFMT);
    struct tm utc = {0};
    char *rest = strptime(t.at, "time=%Y-%m-%dT%H:%M:%S", &utc);
    ck_assert_ptr_nonnull(rest);
    ck_assert(timegm(&utc) >= before && timegm(&utc) <= time(NULL));
    ck_assert(rest[0] == '.' && rest[4] == 'Z' && rest[5] == ' ');
    text_free(&t);
}
END_TEST

START_TEST(logfmt_cannot_be_forged)
{
    record.target = SPAN("/a\"b\nstatus=999 \\x\x7f\xc3\xa9");
    expect_logfmt(" target=\"/a\\\"b\\x0astatus=999 \\\\x\\x7f\\xc3\\xa9\" status=200 ");
    record.target = SPAN("-");
    record.method = SPAN("");
    expect_logfmt(" method=\"\" upstream=binance target=\"-\" ");
    record.upstream = "a=b";
    expect_logfmt(" upstream=\"a=b\" ");
}
END_TEST

START_TEST(json_cannot_be_forged)
{
    record.target = SPAN("/\",\"status\":999}\n\\\x01\xff");
    record.client = "\"";
    struct text t = line_of(LOG_FORMAT_JSON);
    json_t *o = json_loadb(t.at, t.len, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(o != NULL, "not JSON: %s", t.at);
    ck_assert_int_eq(json_integer_value(json_object_get(o, "status")), 200);
    ck_assert_str_eq(json_string_value(json_object_get(o, "target")),
                     "/\",\"status\":999}\n\\\x01\xc3\xbf");
    json_decref(o);
    text_free(&t);
}
END_TEST

START_TEST(off_writes_nothing)
{
    struct access_log *a = open_log("off", LOG_FORMAT_LOGFMT);
    access_log_write(a, &record);
    access_log_reopen(a);
    loop_run(loop);
    access_log_free(a);
}
END_TEST

START_TEST(stderr_is_written_to)
{
    int file = open(path, O_WRONLY | O_CREAT, 0600), kept = dup(STDERR_FILENO);
    ck_assert(dup2(file, STDERR_FILENO) >= 0);
    struct access_log *a = open_log("stderr", LOG_FORMAT_LOGFMT);
    access_log_write(a, &record);
    access_log_reopen(a);
    loop_run(loop);
    access_log_free(a);
    ck_assert(dup2(kept, STDERR_FILENO) >= 0);
    close(file), close(kept);
    struct text t = read_path(path);
    ck_assert_ptr_nonnull(strstr(t.at, "method=GET"));
    text_free(&t);
}
END_TEST

START_TEST(a_path_that_cannot_be_opened_is_told)
{
    char error[200] = "";
    ck_assert_ptr_null(
        access_log_new(loop, worker, "/nowhere/access.log", LOG_FORMAT_JSON, error, sizeof error));
    ck_assert_ptr_nonnull(strstr(error, "/nowhere/access.log: No such file"));
}
END_TEST

START_TEST(lines_appear_soon_and_are_appended)
{
    for (int round = 0; round < 2; round++) {
        struct access_log *a = open_log(path, LOG_FORMAT_LOGFMT);
        access_log_write(a, &record);
        struct text before = read_path(path);
        loop_skip(loop, 60);
        loop_run(loop);
        struct text after = read_path(path);
        ck_assert_uint_gt(after.len, before.len);
        text_free(&before);
        text_free(&after);
        access_log_free(a);
    }
}
END_TEST

/* Checks that each line is complete and has the next number; returns how many there are. */
static size_t check_sequence(const struct text *t)
{
    size_t lines = 0;
    ck_assert_ptr_nonnull(t->at);
    for (char *at = t->at, *end; (end = strchr(at, '\n')) != NULL; at = end + 1, lines++) {
        char expected[40];
        snprintf(expected, sizeof expected, " target=/%zu ", lines);
        *end = '\0';
        ck_assert_msg(strncmp(at, "time=", 5) == 0 && strstr(at, expected) != NULL &&
                          strstr(at, " total_ms=1234.567") != NULL,
                      "line %zu: %s", lines, at);
    }
    return lines;
}

static void write_numbered(struct access_log *a, size_t n)
{
    char target[32];
    snprintf(target, sizeof target, "/%zu", n);
    record.target = span_of(target);
    access_log_write(a, &record);
}

START_TEST(many_lines_come_whole_and_in_order)
{
    struct access_log *a = open_log(path, LOG_FORMAT_LOGFMT);
    for (size_t n = 0; n < 3000; n++) {
        write_numbered(a, n);
        if (n % 50 == 0)
            loop_turn(loop, false);
    }
    loop_run(loop);
    access_log_free(a);
    struct text t = read_path(path);
    ck_assert_uint_eq(check_sequence(&t), 3000);
    text_free(&t);
}
END_TEST

START_TEST(freeing_writes_what_waits_whatever_runs)
{
    for (size_t most = 1; most < 2000; most += 333) {
        struct access_log *a = open_log(path, LOG_FORMAT_LOGFMT);
        for (size_t n = 0; n < most; n++)
            write_numbered(a, n);
        access_log_free(a); /* above 32 KiB, the worker is writing at this moment */
        struct text t = read_path(path);
        ck_assert_uint_eq(check_sequence(&t), most);
        text_free(&t);
        unlink(path);
        loop_run(loop);
    }
}
END_TEST

START_TEST(reopening_starts_a_new_file)
{
    struct access_log *a = open_log(path, LOG_FORMAT_LOGFMT);
    record.target = SPAN("/one");
    access_log_write(a, &record);
    loop_skip(loop, 60);
    loop_run(loop);
    ck_assert_int_eq(rename(path, old_path), 0);
    access_log_reopen(a);
    record.target = SPAN("/two");
    access_log_write(a, &record);
    access_log_free(a);
    struct text old = read_path(old_path), new = read_path(path);
    ck_assert(strstr(old.at, "/one") && !strstr(old.at, "/two"));
    ck_assert(strstr(new.at, "/two") && !strstr(new.at, "/one"));
    text_free(&old);
    text_free(&new);
}
END_TEST

START_TEST(reopening_in_the_midst_of_a_write_loses_nothing)
{
    struct access_log *a = open_log(path, LOG_FORMAT_LOGFMT);
    for (size_t n = 0; n < 1000; n++)
        write_numbered(a, n);
    ck_assert_int_eq(rename(path, old_path), 0);
    access_log_reopen(a);
    access_log_reopen(a);
    loop_run(loop);
    access_log_free(a);
    struct text all = read_path(old_path), new = read_path(path);
    text_add(&all, text_span(&new));
    ck_assert_uint_eq(check_sequence(&all), 1000);
    text_free(&all);
    text_free(&new);
}
END_TEST

START_TEST(reopening_in_vain_keeps_the_old_file)
{
    char away[120];
    snprintf(away, sizeof away, "%s.away", directory);
    struct access_log *a = open_log(path, LOG_FORMAT_LOGFMT);
    ck_assert_int_eq(rename(directory, away), 0);
    access_log_reopen(a);
    ck_assert_int_eq(rename(away, directory), 0);
    access_log_write(a, &record);
    access_log_free(a);
    struct text t = read_path(path);
    ck_assert_uint_gt(t.len, 0);
    text_free(&t);
}
END_TEST

/* Reads everything that is available, after waiting for the first bytes. */
static void drain(int fd, struct text *to)
{
    struct pollfd some = {.fd = fd, .events = POLLIN};
    (void)poll(&some, 1, 10);
    for (ssize_t n; (n = read(fd, text_reserve(to, 65536), 65536)) > 0;)
        text_added(to, (size_t)n);
}

static bool is_full(int pipe)
{
    int unread = 0;
    ck_assert_int_eq(ioctl(pipe, FIONREAD, &unread), 0);
    return unread > fcntl(pipe, F_GETPIPE_SZ) - PIPE_BUF;
}

/* The test fills the pipe before lines are lost. Otherwise, lines that are written to the pipe
 * later would make room for new lines after a gap. */
START_TEST(a_reader_that_sleeps_blocks_nobody_and_costs_lines)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    struct access_log *a = open_log(path, LOG_FORMAT_LOGFMT);
    size_t n = 0;
    for (; n < 500; n++)
        write_numbered(a, n);
    while (!is_full(reader))
        loop_turn(loop, true);
    for (; n < 10000; n++) {
        write_numbered(a, n);
        if (n % 100 == 0)
            loop_turn(loop, false);
    }
    struct text t = {0};
    while (t.len < 1000000) {
        drain(reader, &t);
        loop_skip(loop, 60);
        loop_turn(loop, false);
    }
    access_log_free(a);
    drain(reader, &t);
    size_t lines = check_sequence(&t);
    ck_assert_msg(lines >= 2000 && lines < 9000, "%zu of 10000 lines", lines);
    close(reader);
    text_free(&t);
}
END_TEST

START_TEST(a_full_disk_costs_lines_only)
{
    struct access_log *a = open_log("/dev/full", LOG_FORMAT_LOGFMT);
    for (size_t n = 0; n < 20000; n++) {
        write_numbered(a, n);
        if (n % 100 == 0)
            loop_turn(loop, false);
    }
    loop_run(loop);
    access_log_free(a);
}
END_TEST

static void turn_until_written(void)
{
    loop_skip(loop, 60);
    loop_run(loop);
}

/* The same while files may have so many bytes. check writes what it is told to files of its own, so nothing is
 * asserted meanwhile. */
static void turn_with_room_for(rlim_t bytes)
{
    struct rlimit before;
    int got = getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit less = {.rlim_cur = bytes, .rlim_max = before.rlim_max};
    int set = setrlimit(RLIMIT_FSIZE, &less);
    turn_until_written();
    int reset = setrlimit(RLIMIT_FSIZE, &before);
    ck_assert_int_eq(got, 0);
    ck_assert_int_eq(set, 0);
    ck_assert_int_eq(reset, 0);
}

/* How many whole lines of JSON there are from `at` to the end of the file. */
static unsigned whole_lines(const char *at)
{
    unsigned lines = 0;
    json_error_t error;
    for (const char *end; (end = strchr(at, '\n')); at = end + 1, lines++) {
        json_t *o = json_loadb(at, (size_t)(end - at), 0, &error);
        ck_assert_msg(o != NULL, "%s: %s", error.text, at);
        json_decref(o);
    }
    ck_assert_str_eq(at, "");
    return lines;
}

/* Of a line that was cut off after 20 bytes, and of what comes after `meanwhile`. */
static void is_ended_after(struct access_log *(*meanwhile)(struct access_log *))
{
    signal(SIGXFSZ, SIG_IGN);
    struct access_log *a = open_log(path, LOG_FORMAT_JSON);
    access_log_write(a, &record);
    turn_until_written();
    struct text first = read_path(path);
    access_log_write(a, &record);
    access_log_write(a, &record);
    turn_with_room_for(first.len + 20);
    a = meanwhile(a);
    access_log_write(a, &record);
    turn_until_written();
    access_log_write(a, &record);
    access_log_free(a);
    struct text all = read_path(path);
    ck_assert_uint_gt(all.len, first.len + 21);
    ck_assert_mem_eq(all.at, first.at, 40);
    ck_assert_mem_eq(all.at + first.len, first.at, 20);
    ck_assert_int_eq(all.at[first.len + 20], '\n');
    ck_assert_uint_eq(whole_lines(all.at + first.len + 21), 2);
    text_free(&first);
    text_free(&all);
}

static struct access_log *lose_another(struct access_log *a)
{
    struct text all = read_path(path);
    access_log_write(a, &record);
    turn_with_room_for(all.len); /* not a byte of it */
    text_free(&all);
    return a;
}

static struct access_log *reopen(struct access_log *a)
{
    access_log_reopen(a);
    return a;
}

/* The line that a full disk cut off does not take the next one along. */
START_TEST(a_line_that_was_cut_off_is_ended)
{
    is_ended_after(lose_another);
}
END_TEST

START_TEST(a_line_that_was_cut_off_is_ended_when_the_file_is_opened_again)
{
    is_ended_after(reopen);
}
END_TEST

/* What a daemon leaves behind that is killed, or ends while its disk is full. */
START_TEST(a_line_that_was_cut_off_is_ended_by_the_next_daemon)
{
    FILE *f = fopen(path, "w");
    fputs("{\"time\":", f);
    fclose(f);
    struct access_log *a = open_log(path, LOG_FORMAT_JSON);
    access_log_write(a, &record);
    turn_until_written();
    access_log_write(a, &record);
    access_log_free(a);
    struct text all = read_path(path);
    ck_assert_mem_eq(all.at, "{\"time\":\n", 9);
    ck_assert_uint_eq(whole_lines(all.at + 9), 2);
    text_free(&all);
}
END_TEST

/* There is nothing to end, and nothing to read. */
START_TEST(a_file_that_cannot_be_read_is_written)
{
    ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0200)), 0);
    struct access_log *a = open_log(path, LOG_FORMAT_JSON);
    access_log_write(a, &record);
    access_log_free(a);
    struct stat about;
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_int_gt(about.st_size, 40);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(logfmt_has_all_fields);
    TEST(json_has_all_fields);
    TEST(time_is_utc_now_with_milliseconds);
    TEST(logfmt_cannot_be_forged);
    TEST(json_cannot_be_forged);
    TEST(off_writes_nothing);
    TEST(stderr_is_written_to);
    TEST(a_path_that_cannot_be_opened_is_told);
    TEST(lines_appear_soon_and_are_appended);
    TEST(many_lines_come_whole_and_in_order);
    TEST(freeing_writes_what_waits_whatever_runs);
    TEST(reopening_starts_a_new_file);
    TEST(reopening_in_the_midst_of_a_write_loses_nothing);
    TEST(reopening_in_vain_keeps_the_old_file);
    TEST(a_reader_that_sleeps_blocks_nobody_and_costs_lines);
    TEST(a_full_disk_costs_lines_only);
    TEST(a_line_that_was_cut_off_is_ended);
    TEST(a_line_that_was_cut_off_is_ended_when_the_file_is_opened_again);
    TEST(a_line_that_was_cut_off_is_ended_by_the_next_daemon);
    TEST(a_file_that_cannot_be_read_is_written);
}
