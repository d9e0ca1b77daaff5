/* The pages of trunkline itself: the dashboard, /stats, /requests, /connections, /metrics, /healthz, an
 * operator's verbs and /reload. It only reads; what changes anything is passed on to the
 * daemon, its owner, by the calls below. Embedded in the daemon; `draining` is its state. */
#pragma once

#include "http/exchange.h"
#include "http/ingress.h"
#include "net/loop.h"
#include "net/save_waiter.h"
#include "pages/reload_waiter.h"
#include "proxy/freezes.h"
#include "proxy/order_journal.h"
#include "proxy/route.h"
#include "proxy/state_keeper.h"
#include "proxy/totals.h"
#include "upstream/pools.h"

/* What came of a verb. */
enum admin_outcome { ADMIN_DONE, ADMIN_UNKNOWN, ADMIN_DRAINING, ADMIN_FULL };

/* A verb, for the upstream of that name, or for all if it is empty: `drain` then drains the
 * daemon. */
struct admin_command {
    struct span upstream;
    enum pool_verb verb;
    struct span bot; /* freeze and unfreeze: of this bot alone; empty: of all */
    const char *who; /* describes the caller, for the log */
    size_t tunnels;  /* result of a freeze: how many open ones it cannot stop */
};

struct admin {
    struct loop *loop;
    const struct pools *pools;
    const struct totals *totals;
    struct under_way *under_way;
    const struct freezes *freezes;
    const struct budget_store *store; /* NULL: none */
    /* Fill in counts of now. */
    void (*count_clients)(void *context, struct client_counts *);
    void (*count_stored)(void *context, struct store_counts *);
    void (*view_state)(void *context, struct state_view *);
    struct order_journal *const *journal; /* the present one, or NULL; NULL: there never is one */
    /* Applies a verb. ADMIN_DRAINING: the daemon is draining already, and accepts only `resume`
     * and freezes. ADMIN_FULL: too much is frozen. */
    enum admin_outcome (*command)(void *context, struct admin_command *);
    /* Is something that must outlive a restart not in the state file yet? Then the waiter hears
     * when it is; otherwise it is left alone. NULL: there is no such file. */
    bool (*save)(void *context, struct save_waiter *);
    /* Reloads the configuration; the waiter gets the outcome later. */
    void (*reload)(void *context, struct reload_waiter *, const char *who);
    void *context;
    const char *config_path;
    uint64_t started_us; /* loop_clock_us() */
    struct reload_result reloaded;
    bool draining;
};

/* Answers a request that route_request() found to be for a page: 200, 404 with the known
 * paths, or 405 with Allow; 204 to a verb (/upstreams/NAME/VERB, or /upstreams/VERB for all),
 * which only callers on this machine may use (403), once the state file has what the verb
 * changed (with Trunkline-Saved: no if it has not after SAVE_WAIT_MS), to a freeze with
 * Trunkline-Open-Tunnels if there are any. POST /reload, for the same callers, is
 * answered when its outcome is known: 204, 409 with the errors, one a line, or 503 while
 * trunkline is shutting down. */
struct exchange *admin_open(struct admin *, const struct request *, const struct ingress *,
                            const struct route *, const struct exchange_events *, void *owner);
