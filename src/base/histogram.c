#include "base/histogram.h"

#include <string.h>

#include "base/alloc.h"

/* Values below STEPS have a bucket each; above, every power of two is cut
 * into STEPS buckets, each at most 1/64 of its value wide. */
#define STEPS_BITS 6
#define STEPS (1u << STEPS_BITS)
#define LONGEST_US (3600ull * 1000 * 1000)
#define LONGEST_BITS 32 /* an hour takes 32 bits */
#define BUCKETS ((LONGEST_BITS - STEPS_BITS + 1) * STEPS)

struct histogram_entry {
    uint32_t values;
    uint16_t bucket;
};

_Static_assert(LONGEST_US >> LONGEST_BITS == 0, "the last bucket holds an hour");

static size_t bucket_of(uint64_t us)
{
    if (us < STEPS)
        return us;
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - STEPS_BITS;
    return (size_t)shift * STEPS + (us >> shift);
}

/* The greatest value that falls into the bucket. */
static uint64_t bucket_end(size_t bucket)
{
    if (bucket < 2 * STEPS)
        return bucket;
    size_t shift = bucket / STEPS - 1;
    return ((bucket % STEPS + STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
    if (us > LONGEST_US)
        us = LONGEST_US;
    if (h->buckets == NULL)
        h->buckets = must_calloc(BUCKETS, sizeof *h->buckets);
    h->buckets[bucket_of(us)]++;
    h->count++;
    h->sum_us += us;
    if (us > h->max_us)
        h->max_us = us;
}

uint64_t histogram_percentile(const struct histogram *h, double share)
{
    if (h->count == 0)
        return 0;
    double rank = share * (double)h->count;
    uint64_t wanted = (uint64_t)rank, seen = 0;
    wanted += wanted == 0 || (double)wanted < rank;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= wanted)
            return bucket_end(i) < h->max_us ? bucket_end(i) : h->max_us;
    }
    return h->max_us;
}

void histogram_cumulate(const struct histogram *h, const uint64_t *bounds_us, uint64_t *counts,
                        size_t count)
{
    uint64_t seen = 0;
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        if (bounds_us[i] >= h->max_us) {
            counts[i] = h->count;
            continue;
        }
        for (size_t last = bucket_of(bounds_us[i]); next <= last; next++)
            seen += h->buckets[next];
        counts[i] = seen;
    }
}

void histogram_add_all(struct histogram *h, const struct histogram *from)
{
    if (from->count == 0)
        return;
    if (h->buckets == NULL)
        h->buckets = must_calloc(BUCKETS, sizeof *h->buckets);
    for (size_t i = 0; i < BUCKETS; i++)
        h->buckets[i] += from->buckets[i];
    h->count += from->count;
    h->sum_us += from->sum_us;
    if (from->max_us > h->max_us)
        h->max_us = from->max_us;
}

void histogram_pack(const struct histogram *h, struct histogram_packed *to)
{
    size_t used = 0;
    for (size_t i = 0; h->count && i < BUCKETS; i++)
        used += h->buckets[i] > 0;
    *to = (struct histogram_packed){.count = used, .max_us = h->max_us};
    if (used == 0)
        return;
    to->at = must_calloc(used, sizeof *to->at);
    for (size_t i = 0, n = 0; n < used; i++)
        if (h->buckets[i])
            to->at[n++] = (struct histogram_entry){(uint32_t)h->buckets[i], (uint16_t)i};
}

void histogram_add_packed(struct histogram *h, const struct histogram_packed *from)
{
    if (from->count == 0)
        return;
    if (h->buckets == NULL)
        h->buckets = must_calloc(BUCKETS, sizeof *h->buckets);
    for (size_t i = 0; i < from->count; i++) {
        const struct histogram_entry *e = &from->at[i];
        h->buckets[e->bucket] += e->values;
        h->count += e->values;
        h->sum_us += e->values * bucket_end(e->bucket);
    }
    if (from->max_us > h->max_us)
        h->max_us = from->max_us;
}

void histogram_packed_free(struct histogram_packed *p)
{
    free(p->at);
    *p = (struct histogram_packed){0};
}

void histogram_clear(struct histogram *h)
{
    if (h->count)
        memset(h->buckets, 0, BUCKETS * sizeof *h->buckets);
    *h = (struct histogram){.buckets = h->buckets};
}

void histogram_free(struct histogram *h)
{
    free(h->buckets);
    *h = (struct histogram){0};
}
