/* What order journals tell of orders, for people (a table) and for programs (JSON, one object a
 * line). Filled order by order, then printed. Owned by the command `orders`. */
#pragma once

#include "base/text.h"
#include "proxy/order_history.h"

struct orders_table;

struct orders_table *orders_table_new(void);
void orders_table_add(struct orders_table *, const struct order_past *);

/* Appends the summary, and a row for each order. */
void orders_table_print(const struct orders_table *, struct text *to);
void orders_table_free(struct orders_table *);

/* Appends the order as a JSON object on a line of its own. What is not known of it is null. */
void orders_json_add(struct text *to, const struct order_past *);
