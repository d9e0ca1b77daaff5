/* Where errors of a configuration go: puts "FILE:LINE: " before each message
 * and remembers that there was one. On the stack of whoever reads. */
#pragma once

#include "config/config.h"

struct complaints {
    const char *path;
    config_complain *to; /* may be NULL */
    void *context;
    bool any;
};

/* `line` 0: the error is of the file as a whole. Control characters become '?'. */
void complaint_add(struct complaints *, int line, const char *format, ...) PRINTF_LIKE(3, 4);
