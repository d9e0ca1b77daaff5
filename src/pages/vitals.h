/* What /stats and /metrics tell of the daemon itself: its process, its last reload, its state file.
 * A plain value that admin fills in for each page; without owner or states. */
#pragma once

#include "base/process_figures.h"
#include "pages/reload_waiter.h"
#include "proxy/state_keeper.h"

struct vitals {
    struct process_figures process;
    int64_t started_s; /* since 1970 */
    struct reload_result reload;
    struct state_view state;
};
