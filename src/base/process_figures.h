/* What this process takes of the machine: memory, descriptors, processor time. Read from the kernel
 * when asked, within a fraction of a millisecond (a few, with thousands of descriptors and a kernel
 * before 6.2). No owner, no states. */
#pragma once

#include "base/check.h"

struct process_figures {
    uint64_t resident_bytes, virtual_bytes;
    uint64_t descriptors, descriptors_most; /* open now; allowed */
    uint64_t cpu_us;                        /* of all threads, in user and kernel mode */
};

/* What the kernel does not tell (/proc is not mounted) stays 0. */
void process_figures_read(struct process_figures *);
