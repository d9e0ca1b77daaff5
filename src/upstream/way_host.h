/* A host that a pool's ways lead to: one of the upstream's endpoints, or the only one, and its names.
 * Kept by the pool's ways as long as the pool lives, since records and log lines refer to the names;
 * constant, without states. Each host has one, so that two are the same if the pointers are. */
#pragma once

#include "config/settings.h"

struct way_host {
    struct config_endpoint at; /* its host is its own copy */
    char origin[300];          /* "https://api.binance.com:443" */
    char authority[300];       /* for Host, and to show it: without a default port */
    char next_hop[300];        /* "api.binance.com:443" */
};

struct way_host *way_host_new(const struct config_endpoint *);
void way_host_free(struct way_host *);

/* Only the names. */
void way_host_name(struct way_host *, const struct config_endpoint *);
