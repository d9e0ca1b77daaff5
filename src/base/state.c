#include "base/state.h"

#include <inttypes.h>
#include <stdio.h>

void state_illegal(const char *file, int line, const char *noun, const char *from, const char *to)
{
    char what[160];
    snprintf(what, sizeof what, "%s: %s -> %s is legal", noun, from, to);
    check_failed(file, line, what);
}

void state_trace(const char *object, const char *noun, uint64_t line, const char *from,
                 const char *to, const struct request_id *request)
{
    char number[32] = "";
    const char *key = request ? " id=" : "", *value = request ? request_id_text(request) : "";
    if (line)
        snprintf(number, sizeof number, " line=%" PRIu64, line);
    log_write(LOG_LEVEL_DEBUG, object ? object : "-", "%s: %s -> %s%s%s%s", noun, from, to, number,
              key, value);
}
