/* The client's own ids of the orders in a request (contract 12, order_ids): the values of named
 * parameters of its query, its form or its JSON, so that the journal and warnings name an order as
 * the exchange does. Pure functions. */
#pragma once

#include "base/text.h"
#include "config/config.h"

#define ORDER_IDS_MAX 32  /* values that are looked for in one request */
#define ORDER_ID_MOST 100 /* bytes of a value that are shown */

/* Appends a JSON object, in ASCII on one line: of each name that occurs the value, or an array of
 * them if there are several. Nothing is appended if none occurs.
 *
 * Looked at are the query of `target`, and `body`: as JSON if it begins with "{" or "[", at any
 * depth, otherwise as a form. A parameter may be named a[0][name], as in a form of several orders,
 * and its value may be JSON itself. `body` is the whole body, or empty. */
void order_ids_add(struct text *to, const struct config_names *names, struct span target,
                   struct span body);
