#include "base/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/timestamp.h"

#define SELDOM_MS 60000

enum log_level log_threshold = LOG_LEVEL_INFO;
static bool for_journal;
static atomic_ulong lost;                    /* lines dropped since one was last written */
static const struct log_clock *clock_in_use; /* NULL: the system's */

void log_set_level(enum log_level level)
{
    log_threshold = level;
}

void log_use_clock(const struct log_clock *c)
{
    clock_in_use = c;
}

void log_forget_clock(const struct log_clock *c)
{
    if (clock_in_use == c)
        clock_in_use = NULL;
}

static struct timespec wall(void)
{
    struct timespec now;
    if (clock_in_use)
        return clock_in_use->wall(clock_in_use->owner);
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    if (clock_in_use)
        return clock_in_use->monotonic_ms(clock_in_use->owner);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void log_for_journal(void)
{
    struct stat st;
    unsigned long long device, inode;
    const char *stream = getenv("JOURNAL_STREAM");
    for_journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                  fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* A stopped terminal, or a pipe whose reader is not reading, must not block the loop. If a pipe is
 * writable at all, it has room for a whole line (pipe(7): PIPE_BUF). */
static bool takes_a_line(void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) != 0;
}

/* The prefix of a line: for the journal, which adds the time itself, the priority; otherwise the
 * time. */
static const char *beginning(enum log_level level, char time[TIMESTAMP_SIZE])
{
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
    if (for_journal)
        return priorities[level];
    struct timespec now = wall();
    return timestamp_text(time, &now);
}

static void put(enum log_level level, const char *object, const char *format, va_list args)
    PRINTF_LIKE(3, 0);

static void put(enum log_level level, const char *object, const char *format, va_list args)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char line[1024], time[TIMESTAMP_SIZE];
    int n = snprintf(line, sizeof line - 1, "%s%s%s %s: ", beginning(level, time),
                     for_journal ? "" : " ", names[level], object);
    if (n > 200)
        n = 200;
    n += vsnprintf(line + n, sizeof line - 1 - (size_t)n, format, args);
    if ((size_t)n > sizeof line - 2)
        n = sizeof line - 2;
    for (char *p = line; p < line + n; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    line[n] = '\n';
    fwrite(line, 1, (size_t)n + 1, stderr);
}

void log_write(enum log_level level, const char *object, const char *format, ...)
{
    va_list args;
    if (!takes_a_line()) {
        lost++;
        return;
    }
    unsigned long missing = atomic_exchange(&lost, 0);
    if (missing)
        log_write(LOG_LEVEL_WARN, "log",
                  "%lu lines are missing here: standard error accepted no more", missing);
    va_start(args, format);
    put(level, object, format, args);
    va_end(args);
}

void log_seldom(struct log_seldom *s, enum log_level level, const char *object, const char *words)
{
    uint64_t ms = monotonic_ms();
    if (ms < s->next_ms || !log_enabled(level)) {
        s->silent++;
        return;
    }
    if (s->silent)
        log_write(level, object, "%s (%ju more since the last such line)", words,
                  (uintmax_t)s->silent);
    else
        log_write(level, object, "%s", words);
    *s = (struct log_seldom){.next_ms = ms + SELDOM_MS};
}
