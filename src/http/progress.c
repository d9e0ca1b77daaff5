#include "http/progress.h"

const char *progress_word(enum progress_state s)
{
    static const char *const words[] = {
#define X(name, word) [PROGRESS_##name] = (word),
        PROGRESS_STATES(X)
#undef X
    };
    return words[s];
}
