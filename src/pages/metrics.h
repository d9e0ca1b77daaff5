/* The /metrics page in Prometheus' text format 0.0.4 as the source of a page, in pieces, since
 * it may have megabytes. The number of series is bounded: see pools_snapshot_named().
 * Owned by the page_stream that sends it. Its state is how far it has come. */
#pragma once

#include "pages/page_stream.h"
#include "pages/vitals.h"
#include "proxy/freezes.h"
#include "proxy/order_journal.h"
#include "proxy/totals.h"
#include "upstream/pools.h"

/* What it shows. */
struct metrics {
    const struct pools *pools;
    const struct bots *bots;
    const struct freezes *freezes;
    struct budget_store_view store; /* zeros: there is none */
    struct client_counts clients;
    struct vitals vitals;
    bool draining;
    struct order_journal_view journal; /* path NULL: off */
};

/* `m` is copied; what it points to must outlive the page. */
struct page_source *metrics_new(const struct metrics *m);
