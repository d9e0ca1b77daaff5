/* The real clock, for tests that wait for something with a time limit, or measure how long it took.
 * It has no owner and no state. (The code under test uses its loop's clock instead.) */
#pragma once

#include <uv.h>

/* Microseconds. */
static inline uint64_t clock_us(void)
{
    return uv_hrtime() / 1000;
}
