/* Milliseconds in the notation of the configuration: "600ms", "9s", "10m", "1h". A pure function,
 * without owner or state. */
#pragma once

#include "base/check.h"

#define DURATION_TEXT_SIZE 32

/* Writes it to `out` and returns `out`. */
const char *duration_text(char out[DURATION_TEXT_SIZE], uint64_t ms);
