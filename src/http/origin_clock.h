/* How far our clock is ahead of an origin's, learned from the Date of its responses alone. A plain
 * value, embedded in its owner; begins zeroed. It knows nothing, or an interval in which the
 * offset lies. Pure: the caller supplies all times, so that tests can make them up.
 *
 * A Date is a whole second, and was written at some time between the sending of the request and
 * the arrival of the head: so each response bounds the offset to an interval one second wide, and
 * wider by the round trip. What the responses of the last ten minutes have in common is narrower.
 * Times are those of a monotonic clock, so that setting our clock takes effect at once and spoils
 * nothing that was learned. */
#pragma once

#include "base/check.h"
#include "http/message.h"

#define ORIGIN_CLOCK_SPANS 20 /* the ten minutes in half minutes */

struct origin_clock_bounds {
    int64_t least_us, most_us; /* of: the monotonic clock minus the origin's */
    unsigned samples;
};

struct origin_clock {
    struct {
        struct origin_clock_bounds bounds;
        uint64_t number; /* of the half minute */
    } spans[ORIGIN_CLOCK_SPANS];
    /* What the latest responses say if they contradict the earlier ones: enough of them in
     * succession, and these are right. A single one may come from a cache or another server. */
    struct origin_clock_bounds rival;
};

/* The Date field of an ordinary response. NULL: it has none, or it has an Age, so that the Date is
 * that of a cache. */
const struct field *origin_clock_field(const struct fields *);

/* Likewise, read. `now_s`: see http_date_read(). */
bool origin_clock_date(const struct fields *, int64_t now_s, int64_t *date_s) MUST_CHECK;

/* A response with this Date (seconds since 1970) came at `came_us`; its request was sent at
 * `sent_us` or later. Both are times of the same monotonic clock. */
void origin_clock_add(struct origin_clock *, int64_t date_s, uint64_t sent_us, uint64_t came_us);

struct origin_clock_view {
    int64_t offset_us, error_us; /* how far our clock is ahead, give or take */
    unsigned samples;            /* responses that it is drawn from; 0: nothing is known */
};

/* What is known at `now_us` of the monotonic clock, when our wall clock shows `wall_us` (since
 * 1970). */
struct origin_clock_view origin_clock_view(const struct origin_clock *, uint64_t now_us,
                                           int64_t wall_us);

/* By how much our clock is off for certain; 0: perhaps it is right. */
int64_t origin_clock_surely_off(const struct origin_clock_view *);
