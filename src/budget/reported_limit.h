/* What a response reports about the limits of its exchange: that requests have to stay away for a
 * while, or how much weight is used. From its words to a hold (holds.h) and a line in the log.
 * Plain values. Pure but for the log, without states. */
#pragma once

#include "base/request_id.h"
#include "base/span.h"
#include "budget/holds.h"
#include "config/settings.h"

/* The limit that a response reports, and the request that it answers. */
struct gate_limit {
    unsigned status;
    int64_t asked_ms; /* how long to hold; 0: not at all; GATE_NOT_TOLD: not stated */
    bool is_private;
    uint64_t credential;
    const char *bot;             /* Trunkline-Client; NULL: none */
    struct span path;            /* redacted */
    const struct request_id *id; /* of that request, for the log; NULL: none */
};
#define GATE_NOT_TOLD (-1)

/* Does a response with this status hold requests (retry_after, hold_status)? */
bool reported_limit_counts(const struct upstream_config *, unsigned status);

/* The hold to begin because of it, given the earlier ones. False: none. */
bool reported_limit_hold(const struct gate_limit *, const struct upstream_config *,
                         const struct holds *, uint64_t now_ms, struct hold *) MUST_CHECK;

/* Logs that hold, as an event of `object`. */
void reported_limit_log(const struct gate_limit *, const struct hold *, const char *object);

/* Logs one that is in force for `left_ms` more and was learned of in another way: "at another
 * trunkline". */
void reported_limit_log_learned(const struct hold *, const char *how, uint64_t left_ms,
                                const char *object);

/* The value of weight_header. False: it states no weight. */
bool reported_weight(struct span value, int64_t *weight) MUST_CHECK;
