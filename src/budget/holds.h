/* The limits that an exchange reported: holds (429, 418 and the like) on public requests, on all
 * requests or on those with one credential, and the weight used in this minute. Embedded in its
 * gate. A hold is in force, remembered (for a minute after its end, because the next hold lasts
 * longer if it begins in that time) or forgotten. The number of credentials with a hold is bounded:
 * when there is no room for another, the hold that ends first is dropped. */
#pragma once

#include "base/check.h"
#include "base/span.h"

#define HOLDS_CREDENTIALS 256
#define HOLD_MOST_MS UINT64_C(3600000) /* so that an error does not hold requests for days */

enum hold_scope { HOLD_PUBLIC, HOLD_ALL, HOLD_CREDENTIAL };
const char *hold_scope_name(enum hold_scope); /* "public", "all", "credential" */

struct hold {
    enum hold_scope scope;
    uint64_t credential; /* its identity (credential.h); 0: the hold is not for one */
    uint64_t until_ms;   /* loop time; 0: there has been no hold */
    uint64_t since_ms;   /* loop time: when it began; until then no such hold was in force */
    uint64_t lasts_ms;   /* whole duration, as last requested or chosen */
    uint64_t step_ms;    /* likewise, if it was chosen because none was stated; 0: one was stated */
    unsigned status;     /* of the response that caused the hold */
    char bot[68], path[100]; /* of the request it answered; "": not known */
};

struct holds {
    struct hold public, all;
    struct hold *alone; /* holds for one credential each */
    size_t alone_count;
    int64_t weight;            /* as last reported; -1: never reported */
    int64_t weight_most;       /* the highest reported in this minute */
    uint64_t weight_until_ms;  /* when the weight stops counting */
    uint64_t lifted_ms;        /* loop time: when an operator last ended all holds; 0: never */
    bool weight_lifted;        /* an operator lifted it: it holds no request until reported again */
    bool weight_holds;         /* as holds_turn() last heard */
    uint64_t weight_turned_ms; /* loop time: when that began or ended; 0: it never held */
    void (*changed)(void *owner, bool is_urgent); /* see holds_watch() */
    void *owner;
};

void holds_init(struct holds *);
void holds_free(struct holds *);

/* `changed` is called after each change that must outlive a restart, with `is_urgent` if a hold began
 * or holds were ended. */
void holds_watch(struct holds *, void (*changed)(void *owner, bool is_urgent), void *owner);

/* Which requests a hold applies to. */
struct hold_target {
    enum hold_scope scope;
    uint64_t credential;
};

/* The duration of a hold if the response does not state one: `first_ms`, or, if the last hold ended
 * less than a minute ago, twice the duration of that one, but at most `most_ms`. */
uint64_t holds_step(const struct holds *, struct hold_target, uint64_t first_ms, uint64_t most_ms,
                    uint64_t now_ms);

/* Adds a hold; it never shortens one that is in force. True: the hold is new, or has another status
 * than the one before. */
bool holds_add(struct holds *, const struct hold *, uint64_t now_ms);

/* After a restart: adds a hold that was in force before, or that is remembered since `until_ms` has
 * passed. It is in force no longer than one that begins now: one whose
 * duration was chosen (`step_ms`) no longer than `most_ms`. Returns it if it is new and in force, otherwise NULL. */
const struct hold *holds_restore(struct holds *, const struct hold *, uint64_t most_ms,
                                 uint64_t now_ms);

/* Likewise the weight, unless that of a later minute is known. */
void holds_restore_weight(struct holds *, int64_t weight, int64_t most, uint64_t until_ms,
                          bool is_lifted);

/* The hold that applies to a request now, or the one that ends last if there are several; NULL:
 * there is none. */
const struct hold *holds_find(const struct holds *, bool is_public, uint64_t credential,
                              uint64_t now_ms);

/* The next hold in force after the given one (NULL: the first); NULL: there is none. */
const struct hold *holds_next(const struct holds *, const struct hold *, uint64_t now_ms);

/* Ends all holds, including a hold because of the weight. True: a hold was in force. */
bool holds_lift(struct holds *, uint64_t now_ms);

/* Notes the weight used, which counts for `left_ms` from now (until the minute is over). Returns by
 * how much it has grown in this minute. Responses may arrive out of order, so a response may report
 * less than the one before. Nor does the exchange's minute begin exactly when ours does: near the
 * turn of the minute, a weight that fell by half is taken to have started again from 0. */
uint64_t holds_weigh(struct holds *, int64_t weight, uint64_t now_ms, uint64_t left_ms);

/* Notes whether the weight now holds public requests, for holds_turned(). */
void holds_turn(struct holds *, bool weight_holds, uint64_t now_ms);

/* When public requests began to be held, if they are held now (`are_held`), or when they last ceased
 * to be; loop time; 0: they never were held. */
uint64_t holds_turned(const struct holds *, bool are_held, uint64_t now_ms);

/* The weight used, as far as is known: -1 if it was never reported, 0 once its minute is over. */
int64_t holds_weight(const struct holds *, uint64_t now_ms);

/* What is shown of the holds in force: at most `room` of them, the ones that hold most first.
 * Returns how many. The strings are valid until the holds change. */
struct gate_hold {
    const char *held; /* which requests are held: "public", "all", "credential" */
    unsigned status;
    const char *bot, *path; /* of the request that caused the hold; "": not known */
    uint64_t left_ms;
};
size_t holds_show(const struct holds *, struct gate_hold *to, size_t room, uint64_t now_ms);
