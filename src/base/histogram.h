/* Durations counted in buckets of constant relative width (under 2 %, like an HDR histogram), from
 * 1 µs to an hour, so that percentiles are accurate at both ends. Embedded in its owner; initialize
 * it to zeros; it is empty until the first value. It never shrinks, and no value is ever
 * dropped. */
#pragma once

#include "base/check.h"

struct histogram {
    uint64_t *buckets; /* NULL until the first value */
    uint64_t count, sum_us, max_us;
};

void histogram_add(struct histogram *, uint64_t us);

/* The value that `share` (0…1) of all values do not exceed, in µs, as the upper
 * end of its bucket but never above the maximum; 0 when empty. */
uint64_t histogram_percentile(const struct histogram *, double share);

/* How many values are at most each of these ascending bounds, or share its bucket
 * (for cumulative buckets). */
void histogram_cumulate(const struct histogram *, const uint64_t *bounds_us, uint64_t *counts,
                        size_t count);

/* Adds all values of another histogram. */
void histogram_add_all(struct histogram *, const struct histogram *from);

/* The values of a histogram in the memory that they need: an entry for each bucket that has
 * any, so never more entries than values. Empty if zeroed. */
struct histogram_packed {
    struct histogram_entry *at;
    size_t count;
    uint64_t max_us;
};

/* Packs the values of a histogram into `to`, which is overwritten. At most 2³² values. To be
 * freed by histogram_packed_free(). */
void histogram_pack(const struct histogram *, struct histogram_packed *to);

/* Adds the values that were packed, each as the upper end of its bucket. */
void histogram_add_packed(struct histogram *, const struct histogram_packed *);
void histogram_packed_free(struct histogram_packed *);

void histogram_clear(struct histogram *); /* empties it, keeps the memory */
void histogram_free(struct histogram *);
