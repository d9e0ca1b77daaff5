/* The last five minutes of one upstream in steps of five seconds: how many requests ended, how
 * many failed, how long those that were answered took, and the longest wait for a line.
 * Embedded in the upstream's statistics; begins zeroed, and recent_begin() says when. A step is
 * open, then past, then forgotten; all times are loop_clock_us(). */
#pragma once

#include "base/histogram.h"

#define RECENT_STEPS 60
#define RECENT_STEP_US (5ull * 1000 * 1000)

struct recent_step {
    uint64_t ended, failed, answered; /* requests; `answered` have a duration */
    uint64_t unknown, stale;          /* orders of unknown fate; old responses from the store */
    uint64_t lent, reused;            /* lines; of these, those that had carried a request */
    uint64_t p50_us, p99_us;          /* of those answered */
    uint64_t max_wait_us;             /* for a line, of waits that ended in this step */
};

struct recent {
    uint64_t began_us, ended_us; /* the first moment; the last end of a request, 0: none */
    uint64_t number;             /* of the open step: time / RECENT_STEP_US */
    struct recent_step open;
    struct histogram durations; /* of the open step */
    struct recent_step past[RECENT_STEPS];
    struct histogram_packed took[RECENT_STEPS]; /* the durations of those */
};

void recent_begin(struct recent *, uint64_t now_us);

/* At this time a request ended; it failed as well; it was answered completely, and took that
 * long. */
void recent_ended(struct recent *, uint64_t now_us);
void recent_failed(struct recent *, uint64_t now_us);
void recent_answered(struct recent *, uint64_t now_us, uint64_t took_us);

/* At this time the fate of an order was left unknown; an old response was sent from the store; a
 * request got a line. */
void recent_unknown(struct recent *, uint64_t now_us);
void recent_stale(struct recent *, uint64_t now_us);
void recent_lent(struct recent *, uint64_t now_us, bool reused);

/* A wait for a line ended at this time, after that long; the longest wait of the last five
 * minutes, the open step included. */
void recent_waited(struct recent *, uint64_t now_us, uint64_t waited_us);
uint64_t recent_max_wait_us(const struct recent *, uint64_t now_us);

/* The steps that are past at this time, the latest last. */
void recent_read(const struct recent *, uint64_t now_us, struct recent_step steps[RECENT_STEPS]);

/* The last five minutes in one, the open step included: its counts added up, and the
 * percentiles of all its durations. */
struct recent_sum {
    uint64_t covered_us; /* 295 to 300 seconds, less soon after the beginning */
    struct recent_step all;
};
void recent_sum(const struct recent *, uint64_t now_us, struct recent_sum *);

/* Adds the counts of another one to the sum, but no durations. */
void recent_sum_add(struct recent_sum *, const struct recent *, uint64_t now_us);

void recent_free(struct recent *);
