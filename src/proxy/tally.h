/* Counts one request: in its upstream's statistics, in the daemon's totals and in its
 * record. Embedded in its transaction, which tells it what happens; every number of /stats
 * about requests is written here and nowhere else, so that no two of them can disagree.
 * It is open until one of the four calls at the end says how the request ended; from then
 * on its numbers are final. */
#pragma once

#include "http/message.h"
#include "net/loop.h"
#include "proxy/record.h"
#include "proxy/totals.h"

struct tally {
    struct loop *loop;
    struct totals *totals;
    struct upstream_stats *stats;           /* NULL: no upstream */
    struct bot *bot;                        /* NULL: the client did not name itself */
    const struct upstream_config *settings; /* of its upstream and path */
    struct span path;                       /* as the origin gets it */
    bool is_connect; /* CONNECT is no request, and counts as one only if it fails */
    bool ended;      /* the numbers are final */
    struct under_way_entry under_way; /* until it has ended */
    uint64_t began_us;                /* loop_clock_us() */
    struct record record;
};

/* A request came in. `client` and what the record takes from the request are borrowed until
 * the record has been told. */
void tally_begin(struct tally *, struct loop *, struct totals *, const struct request *,
                 const char *client);

/* Its upstream is known, with the settings for its path, the target that the origin gets. */
void tally_upstream(struct tally *, struct upstream_stats *, const char *name,
                    const struct upstream_config *, struct span path);

/* An interim response came; the head of the final one was passed on. */
void tally_interim(struct tally *);
void tally_head(struct tally *, unsigned status);

/* Hands the record to the listener, with this target, in which secrets are redacted. */
void tally_tell(struct tally *, record_listener *, void *context, struct span target);

/* How the request ended; the first of these calls counts. The connection became a tunnel; a
 * complete response was passed on; it failed with an error of our own (`answered`: after
 * the head, so that the client's status stands); its client disconnected. */
void tally_switch(struct tally *, unsigned status);
void tally_succeed(struct tally *);
void tally_fail(struct tally *, const struct verdict *, bool answered);
void tally_leave(struct tally *, enum sent);
