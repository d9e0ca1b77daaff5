#include "upstream/pool_verb.h"

enum pool_verb pool_verb_of(struct span name)
{
    static const char *const names[] = {
#define POOL_VERB(verb, text, meaning) text,
#include "upstream/pool_verb.def"
#undef POOL_VERB
    };
    enum pool_verb v = 0;
    while (v < POOL_VERB_COUNT && !span_is(name, span_of(names[v])))
        v++;
    return v;
}
