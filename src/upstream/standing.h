/* The state of an upstream as /stats shows it (contract 6 and 12): the first that applies of frozen,
 * draining, paused, held, open and up, with the time since when it is so and the reason. Embedded in
 * its pool, which tells it what happens; times are milliseconds of the wall clock. Its states are
 * those; what ends by itself (a hold) is looked up when it is asked. */
#pragma once

#include "base/failure.h"
#include "budget/gate.h"

#define STANDING_STATES 6
extern const char *const standing_states[STANDING_STATES];

/* Whether one way to the origin is reached. Embedded in the way. */
struct circuit {
    int64_t changed_ms; /* it opened or closed; 0: it never opened */
    bool open;
    int64_t failing_ms; /* the first of the latest failures to connect; 0: the last one succeeded */
    enum failure failure;
    char detail[120]; /* of the latest of them */
};

void circuit_failed(struct circuit *, enum failure, const char *detail, int64_t now_ms);
void circuit_connected(struct circuit *);
void circuit_turned(struct circuit *, bool open, int64_t now_ms);

struct standing {
    int64_t commanded_ms; /* the pool was made, paused, drained or resumed */
    bool resumed;         /* that was a resume */
    int64_t thawed_ms;    /* a freeze ended; 0: none has */
    bool frozen;
};

void standing_commanded(struct standing *, int64_t now_ms, bool resumed);

/* It is frozen now, or it is not. */
void standing_frozen(struct standing *, bool frozen, int64_t now_ms);

struct standing_facts {
    int64_t now_ms;
    uint64_t loop_ms; /* the same, of the loop */
    bool frozen;
    int64_t frozen_since_ms;
    const char *frozen_by;
    bool draining, removed, paused; /* removed: from the configuration */
    bool unreached;                 /* an unlisted host to which no connection ever succeeded */
    const struct gate_view *gate;
    const struct circuit *circuit; /* of the way that stands best */
};

struct standing_view {
    const char *state; /* one of standing_states */
    int64_t since_ms;
    char cause[40];   /* one word, for /metrics: "status_429", "connection_refused", "operator" */
    char reason[200]; /* words for people */
};
void standing_describe(const struct standing *, const struct standing_facts *,
                       struct standing_view *);
