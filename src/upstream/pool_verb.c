#include "upstream/pool_verb.h"

#include "base/check.h"

enum pool_verb pool_verb_of(struct span name)
{
    static const char *const names[] = {
#define POOL_VERB(verb, text, past, meaning) text,
#include "upstream/pool_verb.def"
#undef POOL_VERB
    };
    enum pool_verb v = 0;
    while (v < POOL_VERB_COUNT && !span_is(name, span_of(names[v])))
        v++;
    return v;
}

const char *pool_verb_past(enum pool_verb verb)
{
    static const char *const pasts[] = {
#define POOL_VERB(verb, text, past, meaning) past,
#include "upstream/pool_verb.def"
#undef POOL_VERB
    };
    CHECK(verb < POOL_VERB_COUNT);
    return pasts[verb];
}
