/* A budget that the daemon shares with others through the simulated store: its directives, other
 * trunklines that take tokens and tell holds, and the rules. What leaves is never more than what the
 * store gave, the credit of orders, and the share of outages; holds that were told bind; and what the
 * daemon says of the store is so. One for the process; it lives as long. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "tests/sim/answer.h"
#include "tests/sim/store.h"

#define BUDGET_SECRET "hunter2" /* a password: nobody may see it */

/* Draws what the store and the others are like; from then on they are there. */
void budget_begin(struct dice *);

/* Something may happen to the store. */
void budget_plan(struct dice *);

/* The directives, of all and of each upstream. A reload may draw another rate. */
void budget_write_store(FILE *);
void budget_write_rate(FILE *, struct dice *);

/* A client sends this try; public: it has no credential, and no other try is answered with it. */
void budget_asks(const char *upstream, unsigned order, unsigned number, bool is_public);

/* An origin has read the head of it. */
void budget_carries(const char *origin, unsigned order, unsigned number);

/* trunkline's own answer to an order. */
void budget_hears(unsigned number, const struct answer *);

/* An operator ends the holds of an upstream; the daemon has been killed. */
void budget_resumed(const char *upstream);
void budget_dies(void);

/* From the store: it has run the script for the daemon; the answer ends before that byte of what is
 * sent on this end; no answer will come; and it has lost all it knew. */
void budget_batch(const struct ledger_ask *, const struct ledger_grant *, unsigned connection);
void budget_is_answered(struct span state, struct end *, uint64_t at);
void budget_is_silent(void);
void budget_store_is_empty(void);

/* /stats is asked for, at a quiet point; and this is what it says. */
void budget_look(void);
void budget_check(const json_t *all);
