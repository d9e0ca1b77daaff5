/* PgBouncer's verbs, which an operator says to an upstream. */
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
