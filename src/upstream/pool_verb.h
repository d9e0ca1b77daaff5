/* The verbs by which an operator commands an upstream, which are PgBouncer's. Pure functions over
 * pool_verb.def, without owner or state. */
#pragma once

#include "base/span.h"

enum pool_verb {
#define POOL_VERB(verb, text, past, meaning) POOL_##verb,
#include "upstream/pool_verb.def"
#undef POOL_VERB
    POOL_VERB_COUNT
};

enum pool_verb pool_verb_of(struct span name); /* POOL_VERB_COUNT: there is none */
const char *pool_verb_past(enum pool_verb);    /* "paused" */
