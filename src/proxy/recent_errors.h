/* The last errors, with their words, for people to read: our own, and the origins' 5xx.
 * Bounded: an error like one that is listed only raises its count, and the oldest is
 * dropped. Embedded in the daemon's totals; without states. */
#pragma once

#include <time.h>

#include "base/failure.h"

#define RECENT_ERRORS_MAX 20

struct recent_error {
    char upstream[64];  /* truncated; empty: the request had none */
    enum failure error; /* FAILURE_NONE: the origin's own response */
    unsigned status;    /* that the client got; 0: none */
    enum sent sent;
    char words[160];
    uint64_t count;
    time_t last; /* when it last happened; wall clock */
};

struct recent_errors {
    struct recent_error at[RECENT_ERRORS_MAX]; /* the latest one first */
    size_t count;
};

/* Adds an error of ours, and the status that the client got. `upstream` may be NULL; both
 * strings are copied. */
void recent_errors_add(struct recent_errors *, const char *upstream, const struct verdict *,
                       unsigned status, time_t now);

/* Adds the origin's own 5xx, or a response that is a failure by its body (error_prefix). */
void recent_errors_add_status(struct recent_errors *, const char *upstream, unsigned status,
                              time_t now);
