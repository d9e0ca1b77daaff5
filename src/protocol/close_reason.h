/* Why a connection to an origin was closed: the rows of close_reason.def, whose keys appear
 * in /stats, /metrics and the log. A plain value. */
#pragma once

enum close_reason {
#define CLOSE_REASON(name, key, meaning) CLOSE_##name,
#include "protocol/close_reason.def"
#undef CLOSE_REASON
    CLOSE_REASON_COUNT
};

/* Its key: "idle_timeout". */
const char *close_reason_name(enum close_reason);
