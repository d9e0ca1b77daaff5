/* Why a connection to an origin ended: the rows of close_reason.def, which /stats,
 * /metrics and the log name. */
#pragma once

enum close_reason {
#define CLOSE_REASON(name, key, meaning) CLOSE_##name,
#include "protocol/close_reason.def"
#undef CLOSE_REASON
    CLOSE_REASON_COUNT
};

const char *close_reason_name(enum close_reason); /* "idle_timeout" */
