/* The last five minutes of one upstream in steps of five seconds: how many requests ended, how
 * many failed, how long those that were answered took, and the longest wait for a line.
 * Embedded in the upstream's statistics; begins zeroed. A step is open, then past, then
 * forgotten; all times are loop_clock_us(). */
#pragma once

#include "base/histogram.h"

#define RECENT_STEPS 60
#define RECENT_STEP_US (5ull * 1000 * 1000)

struct recent_step {
    uint64_t ended, failed, answered; /* requests; `answered` have a duration */
    uint64_t p50_us, p99_us;          /* of those answered */
    uint64_t max_wait_us;             /* for a line, of waits that ended in this step */
};

struct recent {
    uint64_t number; /* of the open step: time / RECENT_STEP_US */
    struct recent_step open;
    struct histogram durations; /* of the open step */
    struct recent_step past[RECENT_STEPS];
};

/* At this time a request ended; it failed as well; it was answered completely, and took that
 * long. */
void recent_ended(struct recent *, uint64_t now_us);
void recent_failed(struct recent *, uint64_t now_us);
void recent_answered(struct recent *, uint64_t now_us, uint64_t took_us);

/* A wait for a line ended at this time, after that long; the longest wait of the last five
 * minutes, the open step included. */
void recent_waited(struct recent *, uint64_t now_us, uint64_t waited_us);
uint64_t recent_max_wait_us(const struct recent *, uint64_t now_us);

/* The steps that are past at this time, the latest last. */
void recent_read(const struct recent *, uint64_t now_us, struct recent_step steps[RECENT_STEPS]);

void recent_free(struct recent *);
