/* The last five minutes of one upstream in steps of five seconds: how many
 * requests ended, how many failed, how long the answered ones took, and the longest
 * wait for a line. Embedded in
 * its upstream's statistics; begins zeroed. A step is open, then past, then
 * forgotten; time is whatever loop_clock_us() its callers read. */
#pragma once

#include "base/histogram.h"

#define RECENT_STEPS 60
#define RECENT_STEP_US (5ull * 1000 * 1000)

struct recent_step {
    uint64_t ended, failed, answered; /* requests; `answered` have a duration */
    uint64_t p50_us, p99_us;          /* of the answered ones */
    uint64_t max_wait_us;             /* for a line, of those that ended in this step */
};

struct recent {
    uint64_t number; /* of the open step: time / RECENT_STEP_US */
    struct recent_step open;
    struct histogram durations; /* in the open step */
    struct recent_step past[RECENT_STEPS];
};

/* A request ended at this time; it failed, too; it was answered completely, and
 * took so long. */
void recent_ended(struct recent *, uint64_t now_us);
void recent_failed(struct recent *, uint64_t now_us);
void recent_answered(struct recent *, uint64_t now_us, uint64_t took_us);

/* A wait for a line ended at this time, after so long; the longest of the last five
 * minutes, the open step's too. */
void recent_waited(struct recent *, uint64_t now_us, uint64_t waited_us);
uint64_t recent_max_wait_us(const struct recent *, uint64_t now_us);

/* The steps that are past at this time, the newest last. */
void recent_read(const struct recent *, uint64_t now_us, struct recent_step steps[RECENT_STEPS]);

void recent_free(struct recent *);
