/* An order that is not sent if it is a copy of one that was (contract 12, `dedupe`): it is a fetch
 * that is withheld as long as it is a copy, and answered as the other one was. An exchange towards
 * the client, which owns it until it ends; frees itself later in that turn.
 * States: asking (the body is not here yet, or is too long for a digest), first (it goes to the
 * origin, and copies of it wait), copy (it waits for the first), refused (there is no room to
 * remember it), answering (as the first was), ended. */
#pragma once

#include "cache/origin_fetch.h"
#include "proxy/dedupe.h"

/* Is it an order that could be a copy: one with a credential, to an upstream with `dedupe`? */
bool order_guard_concerns(const struct fetch_order *);

/* The order is copied; what it points to lives until the exchange's end, `dedupe` longer. `is_copy`
 * is set while it is a copy, and stays set if it was answered as one. */
struct exchange *order_guard_open(struct dedupe *, const struct fetch_order *, bool *is_copy,
                                  const struct exchange_events *, void *owner);

/* Would it be one under this configuration? Then the settings are returned, else NULL. `path`: the
 * target that the upstream gets. */
const struct upstream_config *order_guard_settings(const struct config *, const char *upstream,
                                                   const struct request *, struct span path);

/* Instead, of an order that was opened as a fetch when its upstream had no `dedupe`, which the present
 * settings (borrowed until its end) have: from now on copies of it are recognised. It takes the place
 * of the fetch towards its owner. An equal order that is known already changes nothing: both go. */
struct exchange *order_guard_adopt(struct dedupe *, struct exchange *fetch,
                                   const struct upstream_config *, bool *is_copy,
                                   const struct exchange_events *, void *owner);

/* As fetch_follow(), for the one that went to the origin. */
bool order_guard_follow(struct exchange *, const struct exchange_events *, void *owner) MUST_CHECK;
