/* What an exchange asked for: holds (429, 418 and the like), of public requests, of all,
 * or of one credential, and the weight used up in this minute.
 * Embedded in its gate. Each lapses by itself, and is remembered for a minute more, since
 * one that comes again lasts longer. How many credentials are held at once is bounded:
 * the one that ends first gives way. */
#pragma once

#include "base/check.h"
#include "base/span.h"

#define HOLDS_CREDENTIALS 256
#define HOLD_MOST_MS UINT64_C(3600000) /* a slip must not hold for days */

enum hold_scope { HOLD_PUBLIC, HOLD_ALL, HOLD_CREDENTIAL };
const char *hold_scope_name(enum hold_scope); /* "public", "all", "credential" */

struct hold {
    enum hold_scope scope;
    uint64_t credential;     /* whose; 0: not of one */
    uint64_t until_ms;       /* loop time; 0: there never was one */
    uint64_t lasts_ms;       /* in all, as it was asked for or chosen last */
    uint64_t step_ms;        /* that, if it was chosen, for want of a time; 0: it was told */
    unsigned status;         /* of the answer that made it */
    char bot[68], path[100]; /* who got that answer, for what; "": not known */
};

struct holds {
    struct hold public, all;
    struct hold *alone; /* of credentials */
    size_t alone_count;
    int64_t weight;           /* as last told; -1: never */
    int64_t weight_most;      /* told in this minute */
    uint64_t weight_until_ms; /* it counts until then */
    bool weight_lifted;       /* it holds nobody until it is told anew */
};

void holds_init(struct holds *);
void holds_free(struct holds *);

/* Whom a hold may be of. */
struct hold_target {
    enum hold_scope scope;
    uint64_t credential;
};

/* How long one for which no time was told lasts now: `first_ms`, or twice as long as the
 * one before, at most `most_ms`, if it comes again within a minute of that one's end. */
uint64_t holds_step(const struct holds *, struct hold_target, uint64_t first_ms, uint64_t most_ms,
                    uint64_t now_ms);

/* Holds; a hold is never shortened by a later one. True: it is new, or for another
 * reason than the one before. */
bool holds_add(struct holds *, const struct hold *, uint64_t now_ms);

/* The hold that a request is under, whichever ends latest; NULL if there is none now. */
const struct hold *holds_find(const struct holds *, bool is_public, uint64_t credential,
                              uint64_t now_ms);

/* The next hold that is in force, after that one (NULL: the first); NULL: no more. */
const struct hold *holds_next(const struct holds *, const struct hold *, uint64_t now_ms);

/* Ends them all, and what the weight holds. True: there was any. */
bool holds_lift(struct holds *, uint64_t now_ms);

/* The weight used, to count for `left_ms` from now, when the minute is over. Returns
 * by how much it has grown in this minute. Answers overtake one another, so that one
 * may say less than the one before; and the exchange's minute need not be ours: near
 * the turn a weight that fell by half has begun anew. */
uint64_t holds_weigh(struct holds *, int64_t weight, uint64_t now_ms, uint64_t left_ms);

/* What is known of it now: -1 if never told, 0 once its minute is over. */
int64_t holds_weight(const struct holds *, uint64_t now_ms);
