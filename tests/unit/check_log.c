/* The lines of the log, read back through a pipe in place of stderr. */
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "suite.h"

static int saved, ends[2];
static char lines[8000];

static void setup(void)
{
    ck_assert_int_eq(pipe(ends), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

static void teardown(void)
{
    close(ends[0]);
}

static bool is_time(const char *at)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? at[i] < '0' || at[i] > '9' : at[i] != form[i])
            return false;
    return true;
}

/* What was logged so far; ends the capture. */
static const char *raw(void)
{
    size_t len = 0;
    ssize_t n;
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    while ((n = read(ends[0], lines + len, sizeof lines - 1 - len)) > 0)
        len += (size_t)n;
    lines[len] = '\0';
    return lines;
}

/* The same without the times, which every line has. */
static const char *logged(void)
{
    static char untimed[sizeof lines];
    char *to = untimed;
    for (const char *from = raw(), *end; *from; from = end) {
        ck_assert_msg(is_time(from), "no time: %s", from);
        from += sizeof "2026-11-27T09:00:00.123Z";
        end = strchr(from, '\n');
        ck_assert_ptr_nonnull(end);
        end++;
        memcpy(to, from, (size_t)(end - from));
        to += end - from;
    }
    *to = '\0';
    return untimed;
}

START_TEST(lines_bear_the_time)
{
    struct tm tm = {0};
    time_t before = time(NULL);
    LOG(INFO, "x", "now");
    time_t after = time(NULL);
    const char *line = raw();
    ck_assert(is_time(line));
    ck_assert_ptr_nonnull(strptime(line, "%Y-%m-%dT%H:%M:%S", &tm));
    ck_assert(timegm(&tm) >= before && timegm(&tm) <= after);
}
END_TEST

static struct timespec some_wall(void *owner)
{
    return *(struct timespec *)owner;
}

static uint64_t some_ms(void *owner)
{
    return (uint64_t)((struct timespec *)owner)->tv_sec * 1000;
}

START_TEST(the_clock_in_use_tells_the_time)
{
    struct timespec at = {1800000000, 987654321};
    struct log_clock clock = {&at, some_wall, some_ms}, other = clock;
    struct log_seldom seldom = {0};
    log_use_clock(&clock);
    log_seldom(&seldom, LOG_LEVEL_INFO, "x", "first");
    at.tv_sec += 59;
    log_seldom(&seldom, LOG_LEVEL_INFO, "x", "silent");
    at.tv_sec += 1;
    log_seldom(&seldom, LOG_LEVEL_INFO, "x", "second");
    log_forget_clock(&other);
    LOG(INFO, "x", "still");
    log_forget_clock(&clock);
    LOG(INFO, "x", "the system's");
    const char *all = raw(), *last = strstr(all, "still\n");
    ck_assert_ptr_nonnull(last);
    ck_assert(strncmp(last + 6, "2027-01-15T08:01:00.987Z", 24) != 0);
    ck_assert_msg(strncmp(all,
                          "2027-01-15T08:00:00.987Z info x: first\n"
                          "2027-01-15T08:01:00.987Z info x: second (1 more since the last such "
                          "line)\n2027-01-15T08:01:00.987Z info x: still\n",
                          (size_t)(last + 6 - all)) == 0,
                  "%s", all);
}
END_TEST

START_TEST(one_line_an_event)
{
    LOG(INFO, "upstream okx", "open=%d", 5);
    LOG(ERROR, "main", "over");
    ck_assert_str_eq(logged(), "info upstream okx: open=5\nerror main: over\n");
}
END_TEST

static int evaluated(int *count)
{
    return ++*count;
}

/* Lines for which the pipe has no room are dropped, and their number is logged once there is room
 * again. */
START_TEST(a_sleeping_reader_stops_nobody)
{
    const unsigned long written = 20000;
    unsigned long missing = 0;
    int flags = fcntl(ends[0], F_GETFL);
    for (unsigned long i = 0; i < written; i++)
        LOG(INFO, "x", "one of too many for a pipe of 1 MiB at most: 20000 times this");
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, flags | O_NONBLOCK), 0);
    while (read(ends[0], lines, sizeof lines) > 0)
        ;
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, flags), 0);
    LOG(INFO, "x", "again");
    LOG(INFO, "x", "and again");
    const char *rest = logged();
    ck_assert_int_eq(sscanf(rest, "warn log: %lu lines are missing here", &missing), 1);
    ck_assert(missing > 0 && missing < written);
    ck_assert_ptr_nonnull(strstr(rest, " no more\ninfo x: again\ninfo x: and again\n"));
}
END_TEST

START_TEST(levels_are_kept)
{
    int count = 0;
    LOG(DEBUG, "x", "%d", evaluated(&count));
    ck_assert_int_eq(count, 0);
    log_set_level(LOG_LEVEL_WARN);
    LOG(INFO, "x", "unheard");
    LOG(WARN, "x", "heard");
    ck_assert(!log_enabled(LOG_LEVEL_INFO) && log_enabled(LOG_LEVEL_ERROR));
    log_set_level(LOG_LEVEL_DEBUG);
    LOG(DEBUG, "x", "%d", evaluated(&count));
    ck_assert_str_eq(logged(), "warn x: heard\ndebug x: 1\n");
}
END_TEST

START_TEST(lines_cannot_be_forged)
{
    LOG(INFO, "client\n1", "a\nerror main: fake\r\x1b[0m\x7f\ttab");
    ck_assert_str_eq(logged(), "info client?1: a?error main: fake??[0m??tab\n");
}
END_TEST

START_TEST(lines_for_the_journal_have_a_priority)
{
    char stream[80];
    struct stat st;
    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
    setenv("JOURNAL_STREAM", stream, 1);
    log_for_journal();
    LOG(INFO, "x", "elsewhere");
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_for_journal();
    LOG(ERROR, "x", "bad");
    LOG(WARN, "x", "odd");
    LOG(INFO, "x", "good");
    unsetenv("JOURNAL_STREAM");
    log_for_journal();
    LOG(INFO, "x", "gone");
    const char *first = raw(), *second = strchr(first, '\n') + 1;
    static const char in_journal[] = "<3>error x: bad\n<4>warn x: odd\n<6>info x: good\n";
    ck_assert_msg(is_time(first) && strstr(first, "Z info x: elsewhere\n<3>"), "%s", first);
    ck_assert_msg(strncmp(second, in_journal, sizeof in_journal - 1) == 0, "%s", second);
    const char *last = second + sizeof in_journal - 1;
    ck_assert_msg(is_time(last) && strstr(last, "Z info x: gone\n"), "%s", last);
}
END_TEST

START_TEST(what_would_come_often_comes_seldom)
{
    struct log_seldom seldom = {0};
    for (int i = 0; i < 1000; i++)
        log_seldom(&seldom, LOG_LEVEL_ERROR, "x", "again");
    ck_assert_uint_eq(seldom.silent, 999);
    seldom.next_ms = 0; /* a minute later */
    log_seldom(&seldom, LOG_LEVEL_ERROR, "x", "again");
    log_seldom(&seldom, LOG_LEVEL_ERROR, "x", "again");
    ck_assert_str_eq(logged(),
                     "error x: again\nerror x: again (999 more since the last such line)\n");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    char object[500];
    memset(object, 'o', sizeof object - 1);
    object[sizeof object - 1] = '\0';
    LOG(INFO, "x", "%5000d", 1);
    LOG(INFO, object, "words");
    const char *first = raw(), *end = strchr(first, '\n');
    ck_assert_ptr_nonnull(end);
    ck_assert_uint_le((size_t)(end - first), 1023);
    ck_assert_uint_ge((size_t)(end - first), 1000);
    ck_assert_ptr_nonnull(strstr(end, "words\n"));
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(lines_bear_the_time);
    TEST(the_clock_in_use_tells_the_time);
    TEST(one_line_an_event);
    TEST(a_sleeping_reader_stops_nobody);
    TEST(levels_are_kept);
    TEST(lines_cannot_be_forged);
    TEST(long_lines_are_cut);
    TEST(what_would_come_often_comes_seldom);
    TEST(lines_for_the_journal_have_a_priority);
}
