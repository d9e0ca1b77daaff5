/* Which of its exits a request leaves by (contract 13). Pure, without owner or states: the pool
 * says how each of its ways stands, and gets an index. */
#pragma once

#include "config/settings.h"

/* How a way stands for a request that may take any. */
struct way_standing {
    bool is_held;     /* a hold, or the weight that is used up, applies to the request */
    bool is_open;     /* its circuit is */
    uint64_t pass_ms; /* the earliest time at which its gate would let the request pass */
    int64_t tokens;   /* as in struct gate_standing */
    unsigned weight_share;
    int64_t free_lines; /* more than that may be asked of it before a request queues */
};

/* The best one of `count` whose bit in `tried` is not set: one that is not held and whose circuit
 * is closed; among these the one with most tokens (with none, the first to have one), least weight
 * share, most free lines; among equals the first from `turn` on. SIZE_MAX: all have been tried. */
size_t way_choice(const struct way_standing *, size_t count, uint64_t tried, size_t turn);

/* The one of `count` that a credential maps to, by rendezvous hashing over their hashes: when one
 * comes or goes, only the credentials that map to it move. The same in every process. */
size_t way_choice_of(const uint64_t *hashes, size_t count, uint64_t credential);
