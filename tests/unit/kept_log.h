/* What the log writes to standard error, kept for a test that looks at its words. There is one per
 * program, owned by none; it is idle, or it keeps. */
#pragma once

#include "base/log.h"

/* From now on, lines of this level and more severe ones are kept, and not written. */
void kept_log_begin(enum log_level);

/* What was written meanwhile; valid until the next call. The threshold is LOG_LEVEL_ERROR again. */
const char *kept_log_end(void);
