/* What must outlive a restart, as text: JSON with the holds and weights of each upstream, and the
 * freezes. Owned by the state keeper. A plain value over allocated memory, without states; its
 * times are milliseconds of the wall clock, since the loop's begin anew with the machine. */
#pragma once

#include "base/text.h"
#include "budget/holds.h"
#include "proxy/freezes.h"

#define SAVED_UPSTREAMS_MOST 4096 /* so that a file cannot take all memory */

struct saved_hold {
    enum hold_scope scope;
    uint64_t credential; /* its identity (credential.h); 0: the hold is not for one */
    int64_t until_ms;
    uint64_t lasts_ms, step_ms; /* as in struct hold */
    unsigned status;
    char bot[sizeof((struct hold *)NULL)->bot], path[sizeof((struct hold *)NULL)->path];
};

/* The budget of one upstream. */
struct saved_budget {
    char *key; /* the upstream's name, or the origin of a host without a block */
    struct saved_hold *holds;
    size_t hold_count;
    int64_t lifted_ms;           /* when an operator last ended its holds; 0: never */
    int64_t weight, weight_most; /* as in struct holds; -1: none */
    int64_t weight_until_ms;     /* the end of the minute that it counts for */
    bool weight_lifted;
};

struct saved_state {
    struct saved_budget *budgets;
    size_t budget_count;
    struct freeze *freezes; /* their texts are owned */
    size_t freeze_count;
    int64_t freezes_changed_ms; /* when one began or was lifted last; 0: never */
};

void saved_state_free(struct saved_state *); /* begins and ends as zeros */

/* The budget with that key, added if there is none. Valid until the next one is added. */
struct saved_budget *saved_state_budget(struct saved_state *, const char *key);
const struct saved_budget *saved_state_find(const struct saved_state *, const char *key);
void saved_budget_add(struct saved_budget *, const struct saved_hold *);
void saved_budget_clear(struct saved_budget *); /* but for its key and lifted_ms */

void saved_state_add_freeze(struct saved_state *, const struct freeze *); /* copied */
void saved_state_clear_freezes(struct saved_state *);
const struct freeze *saved_state_freeze(const struct saved_state *, const char *upstream,
                                        const char *bot);

/* Reads the content of a file. False, with the reason in `why`, if it is not whole, not one of
 * trunkline's, of a later version, or has a value that trunkline does not write; `state` is then
 * empty. Values that a moved clock may explain are kept: whoever uses them bounds them. */
#define SAVED_STATE_WHY 160
bool saved_state_parse(struct saved_state *state, struct span text,
                       char why[SAVED_STATE_WHY]) MUST_CHECK;

/* Appends it as text, which saved_state_parse() reads back to the same. */
void saved_state_print(const struct saved_state *, struct text *to);

/* Adds what `theirs` has, which another process wrote: of two holds on the same requests the later
 * end counts, unless an operator has ended it since it began; of two weights that of the later
 * minute; and the freezes are those that changed last. */
void saved_state_merge(struct saved_state *, const struct saved_state *theirs);

/* Drops what has no meaning any more at that time, and the rest beyond SAVED_UPSTREAMS_MOST. */
void saved_state_tidy(struct saved_state *, int64_t now_ms);
