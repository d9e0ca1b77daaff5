/* What a request does to orders: it places, cancels or only reads. Decided by order_paths,
 * cancel_paths and read_paths, of which the longest entry that matches decides; where they do not
 * name the request, by its method. Pure functions, without owner or state.
 *
 * They fail closed. A path that servers may read in several ways (percent-encoding, //, dot
 * segments, \, ;) is taken for the worst of them, and order_paths matches in any case of letters. A
 * request of which it is not certain that it only cancels or reads counts as one that places. */
#pragma once

#include "config/settings.h"

#include "base/span.h"

enum order_class {
    ORDER_READS,
    ORDER_PLACES, /* places or changes */
    ORDER_CANCELS,
    ORDER_NEITHER /* not named, and the method alone does not say it either */
};

/* `target` is the one that the origin gets, in origin form; its query is ignored. */
enum order_class order_class(const struct upstream_config *, struct span method,
                             struct span target);

/* Is it an order that is accounted for: journal, dedupe, warnings, unknown, freeze_on_unknown? One
 * that places or cancels; without any lists each POST, PUT, PATCH and DELETE. (What must never be
 * sent twice and what order_wait bounds is another matter: struct request's is_order.) */
bool order_is_accounted(const struct upstream_config *, struct span method, struct span target);

/* May it be sent while its upstream is frozen? A GET, HEAD, OPTIONS, TRACE or DELETE, unless it
 * places; any other only if cancel_paths or read_paths names it. */
bool order_passes_freeze(const struct upstream_config *, struct span method, struct span target);

/* The same for an upgrade, after which nothing can be judged: only if read_paths names it. */
bool order_upgrade_passes_freeze(const struct upstream_config *, struct span method,
                                 struct span target);

/* `dedupe` of this upstream, the longest in any of its paths: for orders of which only the redacted
 * target is left. 0: it has none. */
uint64_t order_dedupe_longest(const struct upstream_config *);
