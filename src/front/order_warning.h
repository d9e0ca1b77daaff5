/* The warning of an order of unknown fate: one line in the daemon's log, with all that
 * its owner needs to look for it at the exchange. It is written whatever log_level says,
 * for nobody else may know of the order. */
#pragma once

#include "proxy/record.h"

/* The record is that of an order whose fate is unknown; borrowed. */
void order_warning(const struct record *);
