/* Counts one request: into its upstream's statistics, the daemon's totals, and
 * its record. Embedded in its transaction; every number of /stats that concerns
 * requests is written here and nowhere else, so that they cannot disagree. */
#pragma once

#include "proxy/proxy.h"
#include "proxy/record.h"

struct tally {
    struct loop *loop;
    struct totals *totals;
    struct upstream_stats *stats; /* NULL: no upstream */
    struct bot *bot;              /* NULL: it did not say */
    bool is_order;
    bool is_connect; /* not a request, unless it fails */
    bool ended;
    struct under_way_entry under_way; /* until it has ended */
    uint64_t began_us;                /* loop_clock_us() */
    struct record record;
};

void tally_begin(struct tally *, struct loop *, struct totals *, const struct request *,
                 const char *client);

/* Its upstream is known. */
void tally_upstream(struct tally *, struct upstream_stats *, const char *name);

/* An interim answer; the head of the final one. */
void tally_interim(struct tally *);
void tally_head(struct tally *, unsigned status);

/* Tells the record at its end, with that target, whose secrets have been redacted. */
void tally_tell(struct tally *, record_listener *, void *context, struct span target);

/* How it ended; the first call counts. */
void tally_switch(struct tally *, unsigned status); /* the connection is a tunnel now */
void tally_succeed(struct tally *);                 /* a complete answer was relayed */
void tally_fail(struct tally *, const struct verdict *, bool answered); /* an error of ours */
void tally_leave(struct tally *, enum sent);                            /* its client left */
