/* The last failures, with their words, for people to read: our own errors and
 * the origins' 5xx. Embedded in the daemon's totals; bounded: the same failure
 * again only counts, and the oldest goes. */
#pragma once

#include <time.h>

#include "base/failure.h"

#define RECENT_ERRORS_MAX 20

struct recent_error {
    char upstream[64];  /* cut; empty: it never had one */
    enum failure error; /* FAILURE_NONE: the origin answered so */
    unsigned status;    /* told to the client; 0: none */
    enum sent sent;
    char words[160];
    uint64_t count;
    time_t last; /* of these; wall clock */
};

struct recent_errors {
    struct recent_error at[RECENT_ERRORS_MAX]; /* the latest first */
    size_t count;
};

/* `upstream` may be NULL. */
void recent_errors_add(struct recent_errors *, const char *upstream, const struct verdict *,
                       unsigned status, time_t now);

/* The origin's own 5xx, or an answer that is a failure by its body (error_prefix). */
void recent_errors_add_status(struct recent_errors *, const char *upstream, unsigned status,
                              time_t now);
