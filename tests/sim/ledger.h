/* What the simulated store of budgets keeps, and what the script that trunklines send it does to that:
 * the same arithmetic, in C. Times are of the store's own clock. One for the process; it lives as
 * long. */
#pragma once

#include "base/text.h"
#include "tests/sim/world.h"

/* The arguments of the script, as words. */
struct ledger_ask {
    struct span tokens, state; /* two of its keys; the others go with the second one */
    struct span id;            /* of the trunkline */
    double count, per_ms, burst, want, credit, back, horizon_ms;
    struct span epoch;
    int64_t version;
    bool lifts;
    const struct span *holds; /* three words each: whom, how long, what else */
    size_t hold_words;
};

struct ledger_grant {
    unsigned now, later, daemons;
};

/* Runs the script; `reply` (NULL: nobody reads it) gets its answer, as Redis writes it. */
void ledger_run(const struct ledger_ask *, struct text *reply, struct ledger_grant *);

/* It has lost everything. */
void ledger_clear(void);

/* The n-th hold in force of a budget; false: it has no more. The strings are valid until the ledger
 * changes. */
struct ledger_hold {
    const char *whom;
    uint64_t until_us;
};
bool ledger_hold_at(struct span state, size_t n, struct ledger_hold *);

/* The part of a key between braces: the name of the budget. */
struct span ledger_name(struct span key);
