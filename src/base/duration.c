#include "base/duration.h"

#include <inttypes.h>
#include <stdio.h>

const char *duration_text(char out[DURATION_TEXT_SIZE], uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms == 0 ? units[i].ms != 1000 : ms % units[i].ms != 0)
        i++;
    snprintf(out, DURATION_TEXT_SIZE, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
    return out;
}
