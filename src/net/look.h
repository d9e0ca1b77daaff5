/* Asks the kernel about many descriptors at once whether something is unread, so that checking the
 * connections of all requests of a turn takes one system call. Owned by the loop. Without states;
 * the last answer is used again as long as it is recent enough for its user. */
#pragma once

#include "base/check.h"

struct look;

struct look *look_new(void);
void look_free(struct look *);

/* Includes a descriptor in every further answer, until it is closed. False: that is impossible; it
 * is known of no more than before. */
bool look_add(struct look *, int fd);

/* The number of the last answer, from 1; 0: there is none yet. */
uint64_t look_number(const struct look *);

/* True: as of at most `within_us` microseconds before `now_us` (loop_real_clock_us()) the kernel had
 * nothing unread for `fd`, neither bytes nor an end, and the answer is newer than number `seen`.
 * False: it may have something. For a descriptor that was added. One system call, unless the last
 * answer serves. */
bool look_is_quiet(struct look *, int fd, uint64_t now_us, uint64_t within_us, uint64_t seen);
