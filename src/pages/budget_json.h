/* The parts of /stats about budgets, as JSON (rows of budget_page.def). Stateless; what is made is
 * the caller's. */
#pragma once

#include <jansson.h>

#include "budget/budget_store.h"
#include "budget/gate.h"

json_t *budget_store_json(const struct budget_store *); /* null: there is none */
json_t *shared_budget_json(const struct gate_view *);   /* null: it is not shared */
json_t *bot_shares_json(const struct gate_view *);      /* empty: there are no bot blocks */
