/* The /stats document (contract 6) as the source of a page, in pieces: the daemon's numbers
 * first, then one upstream after the other.
 * Owned by the page_stream that sends it. Its state is how far it has come. */
#pragma once

#include "pages/page_stream.h"
#include "pages/vitals.h"
#include "proxy/order_journal.h"
#include "proxy/totals.h"
#include "upstream/pools.h"

/* What it shows beyond the plain document: the last five minutes of each upstream and the
 * last failures (recent_json.h); the counts of rare branches (base/rare.h). */
enum stats_extra { STATS_PLAIN, STATS_RECENT, STATS_RARE };

/* What it shows. */
struct stats_source {
    struct loop *loop;
    const struct pools *pools;
    const struct totals *totals;
    const struct freezes *freezes;
    const struct budget_store *store; /* NULL: none */
    struct client_counts clients;
    struct store_counts stored;
    struct vitals vitals;
    struct order_journal_view journal; /* path NULL: off */
    const char *config_path;
    uint64_t started_us; /* loop_clock_us() */
    bool draining;
};

/* The daemon's numbers are those of now, an upstream's those of the moment at which its piece
 * is made. The source is borrowed for the call; its loop, pools and totals must outlive the
 * page. */
struct page_source *stats_document_new(const struct stats_source *, enum stats_extra);
