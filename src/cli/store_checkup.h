/* What `doctor` says of budget_store: dials it, logs in and asks once. Blocks for that, on the loop
 * that it is given, a few seconds at most. Without states of its own. */
#pragma once

#include "base/text.h"
#include "budget/store_conn.h"

/* Appends what it found; nothing if the configuration names no store. False: it is not well. */
bool store_checkup(const struct store_env *, struct config *, struct tls_context *,
                   struct text *page) MUST_CHECK;
