/* Where the errors of a configuration go: puts "FILE:LINE: " before each message and
 * remembers that there was one. Owned by the call that reads the file, on its stack; its
 * only state is whether there was a complaint. */
#pragma once

#include "base/check.h"

/* Called with each error found: "FILE:LINE: message" (no newline). */
typedef void config_complain(void *context, const char *message);

struct complaints {
    const char *path;
    config_complain *to; /* may be NULL */
    void *context;
    bool any;
};

/* `line` 0: the error is of the file as a whole. Control characters become '?'. */
void complaint_add(struct complaints *, int line, const char *format, ...) PRINTF_LIKE(3, 4);
