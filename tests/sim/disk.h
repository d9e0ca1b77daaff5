/* The simulated disk under the daemon's real files: how long a write or a sync takes, when it fails,
 * and what of a file would survive a loss of power. It concerns regular files that the daemon
 * writes; one for the process. */
#pragma once

#include <sys/types.h>

#include "tests/sim/world.h"

/* What it is like from now on. */
struct disk_nature {
    uint32_t write_us, sync_us; /* at most */
    bool is_full;
    bool fails_sync;
};

void disk_set(const struct disk_nature *);
ssize_t disk_write(int fd, const void *from, size_t len);
int disk_sync(int fd);

/* The machine has lost its power: of what was written to a file and not synced only a part is left, its
 * beginning. */
void disk_lose(void);
