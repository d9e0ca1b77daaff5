/* Whether an order journal can be written, what it cost orders if not, and what the log says of
 * that: once when it begins and once when it is over, and a line a minute meanwhile. Embedded in its
 * journal. It is well, failing, or stuck (nothing comes back from the disk). */
#pragma once

#include "base/failure.h"
#include "base/log.h"

struct order_health {
    const char *path; /* the journal's */
    bool required;    /* what cannot be written is refused */
    int error;        /* of the last write; 0: it went well */
    bool is_stuck;
    int64_t since_s;        /* when it began to fail, in seconds since 1970 */
    uint64_t lines, errors; /* written; failed to be */
    uint64_t refused;       /* orders, unsent */
    uint64_t missed;        /* orders that were sent without a line */
    uint64_t untold;        /* of both, since it began to fail */
    struct log_seldom warning;
};

/* The disk answered, and a line was written, or was not, for this errno. */
void order_health_written(struct order_health *);
void order_health_failed(struct order_health *, int error, int64_t now_s);

/* The disk has not answered for `ms`. */
void order_health_stuck(struct order_health *, uint64_t ms, int64_t now_s);

/* An order was refused, or went without a line. */
void order_health_refused(struct order_health *);
void order_health_missed(struct order_health *);

/* What an order is refused with. */
struct verdict order_health_verdict(const struct order_health *);

/* Why it cannot be written; NULL: it can. */
const char *order_health_words(const struct order_health *);
