#include "http/progress.h"

const char *progress_word(enum progress_state s)
{
    static const char *const words[] = {
#define PROGRESS(constant, word, meaning) [PROGRESS_##constant] = (word),
#include "http/progress.def"
    };
    return words[s];
}
