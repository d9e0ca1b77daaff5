/* The script that the store runs for each batch (Lua, atomic): gives tokens out, keeps the weight
 * and the holds, and counts the trunklines that share the budget, all by the store's own clock.
 * Constant. The request that runs it, and what it answers. Pure, without states.
 *
 * Keys, all with one hash tag {KEY}, so that they are in one slot of a cluster:
 *   trunkline:{KEY}:tokens:COUNT/PER_MS[:EXIT]   hash: level, at
 *   trunkline:{KEY}:state[:EXIT]                 hash: epoch, version, lifts, minute, weight
 *   trunkline:{KEY}:holds[:EXIT]                 hash: whom -> until, status, …
 *   trunkline:{KEY}:daemons[:EXIT]               sorted set: id -> when it last spoke
 * Each expires when it says nothing any more. */
#pragma once

#include "base/text.h"
#include "budget/ahead.h"
#include "budget/holds.h"
#include "budget/store_reply.h"

#define STORE_EPOCH_SIZE 40

/* What a daemon has seen of a budget's state. A new epoch: the store is another one, or began
 * empty. `version` changes with the holds, `lifts` when an operator ended them. */
struct store_seen {
    char epoch[STORE_EPOCH_SIZE]; /* "": nothing */
    int64_t version, lifts;
};

struct store_request {
    struct span key, exit, id; /* budget_key; "" where there is one way out; of the daemon */
    struct config_rate rate;
    uint64_t burst, horizon_ms;
    struct ahead_batch batch;
    int64_t weight; /* to tell; -1: none */
    struct store_seen seen;
    bool lifts;               /* an operator ends all holds */
    const struct hold *holds; /* to tell */
    size_t hold_count;
    uint64_t now_ms; /* loop time */
};

/* Appends the command: EVALSHA, or EVAL with the whole script where the store does not know it. */
void store_script_write(const struct store_request *, bool whole, struct text *to);

struct store_answer {
    struct ahead_grant grant;
    int64_t weight; /* used in this minute; -1: not known */
    uint64_t weight_left_ms;
    struct store_seen seen;
    const struct store_reply *holds; /* the first of the holds' elements; NULL: they are as seen */
};

/* False: it is not an answer of the script. Elements are borrowed from the reply. */
bool store_script_read(const struct store_reply *, struct store_answer *) MUST_CHECK;

/* Takes the next hold of an answer; false: there are no more. One that cannot be read is left
 * out. */
bool store_answer_hold(struct store_answer *, uint64_t now_ms, struct hold *) MUST_CHECK;
