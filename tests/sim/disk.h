/* The simulated disk under the daemon's real files: how long a write or a sync takes, when it fails,
 * and what of a file would survive a loss of power. It concerns regular files that the daemon
 * writes; one for the process. */
#pragma once

#include <sys/types.h>

#include "tests/sim/world.h"

/* What it is like from now on. */
struct disk_nature {
    uint32_t write_us, sync_us; /* at most */
    uint32_t hang_us;           /* exactly, in addition: a write does not come back before */
    bool is_full;               /* a write may still take a part */
    bool fails_write, fails_sync;
    bool always_waits; /* it offers nothing else */
};

void disk_set(const struct disk_nature *);
const struct disk_nature *disk_now(void);

/* Does a write hang, or do writes fail? What is to be written may be lost then. */
bool disk_is_ill(void);

/* Or may what it did not take not be written yet? */
bool disk_lags(void);
ssize_t disk_write(int fd, const void *from, size_t len);

/* As pwritev2() with RWF_NOWAIT: takes nothing, a part or all of it. */
ssize_t disk_write_at_once(int fd, const void *from, size_t len);
int disk_sync(int fd);

/* The machine has lost its power: of what was written to a file and not synced only a part is left, its
 * beginning. */
void disk_lose(void);
