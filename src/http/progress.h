/* How far an exchange has come, for an operator who asks what is under way (contract 12):
 * the state in the words of /requests, and the connection it is on. A plain value, made
 * when it is asked for. */
#pragma once

#include <stdint.h>

/* progress.def has them, and what they mean. */
enum progress_state {
#define PROGRESS(constant, word, meaning) PROGRESS_##constant,
#include "http/progress.def"
    PROGRESS_COUNT
};

/* "gated" */
const char *progress_word(enum progress_state);

struct progress {
    enum progress_state state;
    uint64_t line;       /* the number of the connection that it has; 0: none */
    const char *address; /* of that connection's other end; NULL: none. Borrowed until the
                            loop turns */
};
