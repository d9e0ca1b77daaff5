#include "base/state.h"

#include <inttypes.h>
#include <stdio.h>

void state_illegal(const char *file, int line, const char *noun, const char *from, const char *to)
{
    char what[160];
    snprintf(what, sizeof what, "%s: %s -> %s is legal", noun, from, to);
    check_failed(file, line, what);
}

void state_trace(const char *object, const char *noun, uint64_t id, const char *from,
                 const char *to)
{
    if (id)
        log_write(LOG_LEVEL_DEBUG, object, "%s %" PRIu64 ": %s -> %s", noun, id, from, to);
    else
        log_write(LOG_LEVEL_DEBUG, object, "%s: %s -> %s", noun, from, to);
}
