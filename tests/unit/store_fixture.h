/* A store of budgets with the test's own peer (store_peer.h), for check_budget_store.c and
 * check_shared_budget.c. Owned by the test; the store is off until it is configured. */
#pragma once

#include "base/log.h"
#include "budget/budget_store.h"
#include "store_peer.h"
#include "until.h"

extern struct loop *loop; /* its clocks are held */
extern struct store_peer peer;
extern struct budget_store *store;

/* The members must have left before the end. */
void begin_store(void);
void end_store(void);

/* `login`: of the URL, "user:password@" or "". */
void configure_store(const char *login, const char *directives);
struct budget_store_view look(void);

/* Is that its state? */
bool is(const char *word);
