/* What an exchange asked for: pauses (429 or 418 with Retry-After), of everybody
 * or of one credential, and the weight used up in this minute.
 * Embedded in its gate. Each lapses by itself; how many credentials are held at
 * once is bounded: the one that ends first gives way. */
#pragma once

#include "base/check.h"

#define HOLDS_CREDENTIALS 256

struct pause {
    uint64_t credential; /* 0: everybody */
    uint64_t until_ms;   /* loop time; 0: none */
    unsigned seconds, status;
};

struct holds {
    struct pause everybody;
    struct pause alone[HOLDS_CREDENTIALS];
    size_t alone_count;
    int64_t weight;           /* as last told; -1: never */
    int64_t weight_most;      /* told in this minute */
    uint64_t weight_until_ms; /* it counts until then */
};

void holds_init(struct holds *);

/* A pause is never shortened by a later one. */
void holds_pause(struct holds *, const struct pause *, uint64_t now_ms);

/* The pause this credential (0: none) is held by, everybody's or its own,
 * whichever ends later; NULL if there is none now. */
const struct pause *holds_find(const struct holds *, uint64_t credential, uint64_t now_ms);

/* The weight used, to count for `left_ms` from now, when the minute is over. Returns
 * by how much it has grown in this minute. Answers overtake one another, so that one
 * may say less than the one before; and the exchange's minute need not be ours: near
 * the turn a weight that fell by half has begun anew. */
uint64_t holds_weigh(struct holds *, int64_t weight, uint64_t now_ms, uint64_t left_ms);

/* What is known of it now: -1 if never told, 0 once its minute is over. */
int64_t holds_weight(const struct holds *, uint64_t now_ms);
