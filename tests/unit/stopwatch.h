/* The real clock, for tests that wait for something at most so long, or measure how long it
 * took. Owned by nobody, without state. The code under test asks its loop instead. */
#pragma once

#include <uv.h>

/* Microseconds. */
static inline uint64_t clock_us(void)
{
    return uv_hrtime() / 1000;
}
