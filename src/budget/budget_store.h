/* The daemon's side of the store of budgets: one connection for all budgets, how long it takes to
 * answer, and whether it can be relied upon. Owned by the daemon. It is off (not configured),
 * starting (it has not answered yet), up, or in an outage: an answer was late, wrong or missing,
 * and until three in a row are in time and right, every budget is on its own. */
#pragma once

#include "budget/store_conn.h"
#include "config/config.h"

struct budget_store;

/* Off at first. `env` is copied. */
struct budget_store *budget_store_new(const struct store_env *);

/* Another configuration: the snapshot and (rediss://) the context get references. Begins to
 * connect, or goes on as it is if nothing of the store has changed. */
void budget_store_configure(struct budget_store *, struct config *, struct tls_context *);

/* No member may be left. */
void budget_store_free(struct budget_store *);

enum budget_store_mode {
    BUDGET_STORE_OFF,  /* there is no store: a budget is this daemon's alone */
    BUDGET_STORE_AWAY, /* it cannot be asked: a budget is on its share */
    BUDGET_STORE_UP
};

/* One that asks the store. Embedded in its owner, which sets the fields above the line. */
struct store_member {
    void *owner;
    /* Appends its command; `whole` as in store_script_write(). In an outage it is a probe, which
     * should ask for nothing. */
    void (*write)(void *owner, bool whole, struct text *to);
    /* An answer to that, a late one too. False: it is not a right one. */
    bool (*on_answer)(void *owner, const struct store_reply *, bool is_late);
    void (*on_lost)(void *owner); /* no answer will come */
    void (*on_mode)(void *owner); /* another mode */
    /* Up, and on another connection than before: the store may have lost what it knew. */
    void (*on_reconnected)(void *owner);
    /* ---- */
    struct budget_store *store;
    struct link link;
    struct link waiting; /* to ask, until there is a connection */
    bool is_asking;      /* an answer is to come */
};

void budget_store_join(struct budget_store *, struct store_member *);
void budget_store_leave(struct store_member *);

/* Asks at the end of this turn; on_answer or on_lost comes later. Not while it asks already, and
 * only if the store is up. */
void budget_store_ask(struct store_member *);

enum budget_store_mode budget_store_mode(const struct budget_store *);
uint64_t budget_store_timeout_ms(const struct budget_store *);
unsigned budget_store_percent(const struct budget_store *); /* budget_share */
struct span budget_store_id(const struct budget_store *);   /* this daemon's */
struct loop *budget_store_loop(const struct budget_store *);

struct budget_store_view {
    const char *name;                        /* where it is, without the login; NULL: off */
    const char *word;                        /* off, starting, up, outage */
    const char *why;                         /* the reason of the outage; NULL: there is none */
    int64_t since_s;                         /* since 1970: of the state */
    uint64_t round_trip_us;                  /* of the last answer; 0: there was none */
    uint64_t asked, answered, late, outages; /* since the start */
};
void budget_store_describe(const struct budget_store *, struct budget_store_view *);
