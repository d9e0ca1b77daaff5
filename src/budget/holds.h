/* What an exchange asked for: holds (429, 418 and the like) of public requests, of all, or of
 * one credential, and the weight used in this minute. Embedded in its gate. A hold is in force,
 * remembered (for a minute after its end, since one that comes again lasts longer) or
 * forgotten. The number of credentials held at once is bounded: at the bound the hold that ends
 * first is dropped. */
#pragma once

#include "base/check.h"
#include "base/span.h"

#define HOLDS_CREDENTIALS 256
#define HOLD_MOST_MS UINT64_C(3600000) /* so that a mistake does not hold for days */

enum hold_scope { HOLD_PUBLIC, HOLD_ALL, HOLD_CREDENTIAL };
const char *hold_scope_name(enum hold_scope); /* "public", "all", "credential" */

struct hold {
    enum hold_scope scope;
    uint64_t credential; /* its hash; 0: the hold is not of one */
    uint64_t until_ms;   /* loop time; 0: there never was one */
    uint64_t lasts_ms;   /* in all, as it was last asked for or chosen */
    uint64_t step_ms;    /* likewise, if it was chosen because no time was told; 0: it was told */
    unsigned status;     /* of the response that asked for it */
    char bot[68], path[100]; /* of the request it answered; "": not known */
};

struct holds {
    struct hold public, all;
    struct hold *alone; /* of credentials */
    size_t alone_count;
    int64_t weight;           /* as last told; -1: it never was */
    int64_t weight_most;      /* the most that was told in this minute */
    uint64_t weight_until_ms; /* it counts until then */
    bool weight_lifted;       /* it holds no request until it is told again */
};

void holds_init(struct holds *);
void holds_free(struct holds *);

/* Which requests a hold is of. */
struct hold_target {
    enum hold_scope scope;
    uint64_t credential;
};

/* How long a hold lasts for which no time was told: `first_ms`; or, if the one before ended less
 * than a minute ago, twice as long as that one, at most `most_ms`. */
uint64_t holds_step(const struct holds *, struct hold_target, uint64_t first_ms, uint64_t most_ms,
                    uint64_t now_ms);

/* Adds a hold; one in force is never shortened by it. True: it is new, or has another status
 * than the one before. */
bool holds_add(struct holds *, const struct hold *, uint64_t now_ms);

/* The hold that a request is under now, of several the one that ends last; NULL: none. */
const struct hold *holds_find(const struct holds *, bool is_public, uint64_t credential,
                              uint64_t now_ms);

/* The next hold in force after the given one (NULL: the first); NULL: there is none. */
const struct hold *holds_next(const struct holds *, const struct hold *, uint64_t now_ms);

/* Ends all holds, those by weight as well. True: one was in force. */
bool holds_lift(struct holds *, uint64_t now_ms);

/* Notes the weight used, which counts for `left_ms` from now (until the minute is over). Returns
 * by how much it has grown in this minute. Responses overtake each other, so that one may tell
 * less than the one before; and the exchange's minute is not exactly ours: near its turn a
 * weight that fell by half has begun anew. */
uint64_t holds_weigh(struct holds *, int64_t weight, uint64_t now_ms, uint64_t left_ms);

/* The weight used as far as is known: -1 if it was never told, 0 once its minute is over. */
int64_t holds_weight(const struct holds *, uint64_t now_ms);
