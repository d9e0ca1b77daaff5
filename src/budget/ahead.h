/* The tokens that one trunkline has of a bucket which it shares through a store: taken ahead in
 * batches whose size follows its recent rate; reserved for a moment that is near; or used on credit,
 * by orders, until the store can be told. Embedded in its shared budget. Its bucket is not known yet,
 * known to have tokens, or known to be empty. Pure: time is passed in. */
#pragma once

#include "base/check.h"
#include "config/settings.h"

#define AHEAD_HORIZON_MS 250 /* a batch is to last so long; tokens are reserved so far ahead */

struct ahead {
    struct config_rate rate; /* count 0: no rate, every request passes */
    uint64_t burst;
    unsigned daemons;                 /* that share the bucket; 0: not known */
    uint64_t ready;                   /* tokens at hand */
    uint64_t later, next_us, step_us; /* reserved: how many, when the first and each further one */
    uint64_t credit;                  /* used beyond these, and not told yet */
    uint64_t asked;                   /* of it, in the question under way: not in `level` yet */
    uint64_t back;                    /* to be given back */
    bool is_known;                    /* the store has said what the bucket contains: */
    double level;                     /* tokens without those given out, at level_ms; may be < 0 */
    uint64_t level_ms;
    uint64_t wanted;          /* with the last batch */
    uint64_t not_before_ms;   /* it had less to give: asked again at this time, except for orders */
    double pace;              /* tokens used in a millisecond, lately */
    uint64_t taken, since_ms; /* used since the last batch was asked for */
};

/* Another rate: what was at hand is lost, since its bucket is another one too. */
void ahead_configure(struct ahead *, const struct config_rate *, unsigned burst);

/* Takes a token. An order takes one on credit if there is none at hand, unless the bucket is known
 * to have none. */
bool ahead_take(struct ahead *, uint64_t now_ms, bool is_order) MUST_CHECK;

/* The earliest time at which the n-th token from now can be taken, as far as is known, if none is
 * taken before `from_ms`. */
uint64_t ahead_when(struct ahead *, uint64_t from_ms, uint64_t n, bool is_order, uint64_t now_ms);

/* How many tokens are at hand now, credit for an order among them. */
uint64_t ahead_at_hand(struct ahead *, bool is_order, uint64_t now_ms);

/* Is it time for another batch? `waiting`: requests that wait for a token. */
bool ahead_is_low(const struct ahead *, size_t waiting, uint64_t now_ms);

/* Has the bucket no token for now, nor on credit? */
bool ahead_is_empty(const struct ahead *, uint64_t now_ms);

/* What to ask of the store: tokens, the credit to tell it, and tokens to give back. Once asked
 * for, credit and what is given back count as told; until the answer, no order uses that credit's
 * tokens a second time. */
struct ahead_batch {
    uint64_t want, credit, back;
};
struct ahead_batch ahead_ask(struct ahead *, size_t waiting, uint64_t now_ms);

/* Likewise, when nothing has been asked for a while: gives back all that is at hand. */
struct ahead_batch ahead_give_back(struct ahead *, uint64_t now_ms);

/* The store's answer: tokens for now, tokens for later with the time until the first, and what the
 * bucket has left. If it had fewer than were wanted and none for later, the time until it should be
 * asked again. */
struct ahead_grant {
    uint64_t now, later, wait_us;
    double level;
    unsigned daemons; /* that spoke lately */
};
void ahead_answer(struct ahead *, const struct ahead_grant *, uint64_t now_ms);

/* No answer to that will come: its credit is to be told again. */
void ahead_lost(struct ahead *, const struct ahead_batch *);

/* The store cannot be asked any more: nothing is known from now on. `held`: the tokens that were at
 * hand or reserved; `back`: those that were to be given back; `level`: what the bucket had left
 * besides, at least 0. Credit that the store has not been told stays, and ahead_lost() adds to it. */
struct ahead_rest {
    double held, back, level;
};
struct ahead_rest ahead_leave(struct ahead *, uint64_t now_ms);

/* The store can be asked again. `used`: tokens that were used without its knowing (the credit that
 * it had not been told among them) and that the bucket has not got back since, which are told as
 * credit; < 0: tokens that were held, not used, and are given back. */
void ahead_return(struct ahead *, int64_t used);
