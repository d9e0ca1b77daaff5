/* One upstream's budget with its exchange: a token bucket (rate, burst), the weight that the
 * exchange reports as used (weight_header), and the holds that the exchange asked for (429, 418 and
 * the like). Decides which request may be sent now, which has to wait, and which is refused because
 * it could not be sent in time. Owned by its pool; reads the pool's settings each time it needs
 * them.
 *
 * A waiter is in one of two lanes, one for orders and one for all other requests. Within its lane
 * it is either ready (it waits for a token) or held. Orders go before other requests; within a lane
 * the order is first come, first served, except that a waiter whose hold applies only to some
 * requests (such as those with one credential) does not delay the others. The cost of a request
 * does not grow with the number of waiters: all of them are examined only when a hold begins or
 * ends, and at most ten times a second when waiters have moved back. */
#pragma once

#include "base/failure.h"
#include "base/span.h"
#include "budget/bot_shares.h"
#include "budget/gate_waiter.h"
#include "budget/holds.h"
#include "budget/reported_limit.h"
#include "budget/shared_budget.h"
#include "config/config.h"

struct gate *gate_new(struct loop *, const struct upstream_config *);
void gate_configure(struct gate *, const struct upstream_config *); /* after a reload */

/* The bot blocks of this configuration apply from now on; they are borrowed until the next call. */
void gate_limit_bots(struct gate *, const struct config *);

/* Shares its rate, weight and holds through the store (NULL: not at all), under `key` and, if there
 * are several ways out, the name of its `exit`. Again after a reload. */
void gate_share(struct gate *, struct budget_store *, const char *key, const char *exit);
void gate_free(struct gate *); /* no request may be waiting */

/* True: the request may be sent at once (a token is taken). False: exactly one of the waiter's
 * events comes later, unless gate_forget() is called first. The request waits at most until
 * `until_ms` (loop time). If it cannot be sent by then, or if it would have to wait and on_limit is
 * refuse, it is refused at once (though never from inside this call): 429 http_request_denied, with
 * the remaining seconds for Retry-After. */
bool gate_pass(struct gate *, struct gate_waiter *, uint64_t until_ms) MUST_CHECK;
void gate_forget(struct gate_waiter *);

/* on_moved of every waiter is called later in this turn of the loop. */
void gate_recall(struct gate *);

/* `on_hold` is told whenever a hold has begun, from inside the call that began it. `exit` is the name
 * of the exit that the gate is for (NULL: none), for the log; it is copied. */
void gate_watch(struct gate *, const char *exit, void (*on_hold)(void *owner), void *owner);

/* What a request of that kind would find at this gate now, to compare it with others. */
struct gate_standing {
    bool is_held;
    uint64_t pass_ms;      /* the earliest time (loop time) at which it may pass */
    int64_t tokens;        /* left when all waiters before it have theirs; INT64_MAX: no rate */
    unsigned weight_share; /* used of weight_limit, in thousandths; 0: no limit */
};
void gate_stand(const struct gate *, const struct gate_waiter *, struct gate_standing *);

/* The verdict with which this waiter would be refused now. */
struct verdict gate_refusal(const struct gate_waiter *);

/* Would such a request be held now, either by a hold or because the weight is used up? (Waiting for
 * a token does not count as being held.) */
bool gate_holds(const struct gate *, const struct gate_waiter *);

/* Begins the hold that such a response reports, if it does. */
void gate_limit(struct gate *, const struct gate_limit *);

/* Notes the weight that a response to this bot's request (NULL: none) reports, the value of
 * weight_header, at `now_s` of the wall clock: it counts until the next full minute. Returns by how
 * much the weight has grown. */
uint64_t gate_weigh(struct gate *, struct span weight, int64_t now_s, const char *bot);

/* An operator ends all holds, including a hold because of the weight. */
void gate_resume(struct gate *);

/* Its limits, to be saved, watched (holds_watch()) and, after a restart, restored. Once they have
 * been restored, gate_restored() looks at the waiters again. */
struct holds *gate_limits(struct gate *);
void gate_restored(struct gate *);

#define GATE_HOLDS_SHOWN 16
struct gate_view {
    uint64_t rate_held, rate_refused; /* requests that waited, and those refused; since start */
    int64_t weight_used;              /* in this minute; -1: never reported */
    uint64_t turned_ms;               /* when that began, or ended (holds_turned()) */
    uint64_t held_ms;                 /* how long a public request would be held; 0: it would not */
    struct gate_hold holds[GATE_HOLDS_SHOWN]; /* strings are valid until the gate changes */
    size_t hold_count;                        /* entries in `holds` */
    const struct bot_shares *bots; /* valid until the gate changes; NULL: of several gates */
    unsigned weight_limit;
    struct shared_budget_view shared;
    uint64_t now_ms; /* loop time, for `bots` */
};
void gate_describe(const struct gate *, struct gate_view *);
