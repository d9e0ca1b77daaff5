/* An order that is journaled, for the client's side: its transaction, of whose response the end is
 * withheld until the journal has the order's end. An exchange, owned by what opened it until it
 * ends; it frees itself. It is passing (what the transaction says), withholding (the end of the
 * response, after the transaction has ended), or over. */
#pragma once

#include "proxy/order_journal.h"
#include "proxy/transaction.h"

/* As transaction_open(), with an entry of the journal in the order. */
struct exchange *journaled_open(struct order_journal *, const struct transaction_order *,
                                const struct exchange_events *, void *owner);
