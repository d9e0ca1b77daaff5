/* The daemon's own log: one line per event on stderr, with the time, a level and the object it is
 * about. There is one per process, without an owner, usable from the start. It has a threshold, and
 * a clock (the system's, or the loop's). No secret is ever passed here: targets are redacted
 * first. */
#pragma once

#include <time.h>

#include "base/check.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

extern enum log_level log_threshold; /* for log_enabled() only */

/* Sets the threshold: lines of this level and more severe ones are written. Initially
 * LOG_LEVEL_INFO. */
void log_set_level(enum log_level);

/* Whether lines of this level are written: one comparison. */
static inline bool log_enabled(enum log_level level)
{
    return level <= log_threshold;
}

/* Where stderr is systemd's journal ($JOURNAL_STREAM names its device and inode),
 * lines begin with their priority, which it takes off (sd-daemon(3)), in place of
 * the time, which it adds. To be called once at start. */
void log_for_journal(void);

/* The source of the time. Before the loop exists, and after its end, the log reads the system's
 * clock. The caller keeps the struct and must not free it before log_forget_clock(), which does
 * nothing if another clock is in use by then. */
struct log_clock {
    void *owner;
    struct timespec (*wall)(void *owner); /* CLOCK_REALTIME */
    uint64_t (*monotonic_ms)(void *owner);
};
void log_use_clock(const struct log_clock *);
void log_forget_clock(const struct log_clock *);

/* Writes "TIME LEVEL OBJECT: message\n" at once. `object` names what it is about ("upstream
 * binance"). The message ends with fields where it concerns one connection to an origin or one
 * request: " line=17 id=06f3k9d2q4ab-17". Control characters in it are written as '?', so that no
 * peer can forge a line. Never blocks: a line that standard error cannot accept is dropped, and the
 * next line that is written gives the number of dropped lines. */
void log_write(enum log_level, const char *object, const char *format, ...) PRINTF_LIKE(3, 4);

#define LOG(level, object, ...)                                                                    \
    (log_enabled(LOG_LEVEL_##level) ? log_write(LOG_LEVEL_##level, object, __VA_ARGS__) : (void)0)

/* For messages that might repeat thousands of times: at most one a minute is written, and the next
 * one says how many were suppressed. */
struct log_seldom {
    uint64_t next_ms; /* of the monotonic clock */
    uint64_t silent;
};

/* As log_write(), if a line is due. */
void log_seldom(struct log_seldom *, enum log_level, const char *object, const char *words);
