/* What a fetch says of its tries in the log, at debug. Without states. */
#pragma once

#include "cache/origin_fetch.h"

/* Try number `tries`, on that line, was answered 421: it goes once more. */
void fetch_log_elsewhere(const struct fetch_order *, const struct line_facts *, unsigned tries);

/* It waits for an earlier one with the same value (serialize_by); at the gate. */
void fetch_log_serialized(const struct fetch_order *);
void fetch_log_held(const struct fetch_order *, const struct gate_waiter *);
