/* The warning about an order of unknown fate: one line in the daemon's log, with everything
 * that is needed to look for the order at the exchange. It is written whatever log_level
 * says, because it may be the only trace of the order. Pure but for the log; stateless. */
#pragma once

#include "proxy/record.h"

/* Writes the warning. The record (borrowed) must be that of an order of unknown fate. */
void order_warning(const struct record *);
