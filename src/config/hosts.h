/* The hosts of an upstream: those of `endpoints`, or the one of `url`. Pure, without states; what is
 * made is kept in the given arena, and belongs to its owner. */
#pragma once

#include "base/arena.h"
#include "config/settings.h"

/* Fills in the hosts, and what is called the upstream's own: the first of them. A url that is absent
 * becomes that one. `is_own_url`: the upstream's block itself sets url; `is_own_list`: endpoints. What
 * a preset lists does not apply beside another url or a connect_to (contract 13). */
void hosts_resolve(struct arena *, struct upstream_config *, bool is_own_url, bool is_own_list);

/* Leaves out of a preset's list what another upstream names by itself; never the first. */
void hosts_yield(struct upstream_config *, const struct upstream_config *other);

/* Is that one of its hosts? The name is compared case-insensitively. */
bool hosts_has(const struct upstream_config *, bool secure, struct span host, uint16_t port);

bool hosts_same(const struct config_endpoint *, const struct config_endpoint *);

/* The host number `i`, also of settings that have no list (of an unlisted origin): their own. */
struct config_endpoint hosts_at(const struct upstream_config *, size_t i);
size_t hosts_count(const struct upstream_config *); /* 0: in the defaults, or without a valid one */
