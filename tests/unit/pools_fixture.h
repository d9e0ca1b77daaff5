/* Pools that a test makes up, in place of pool.c, pools.c and pools_snapshot.c: each returns the
 * values set by the test, and a snapshot contains all of them. Owned by the test. */
#pragma once

#include "upstream/pools.h"
#include "upstream/pools_snapshot.h"

struct pool {
    struct pool_view view;
};

struct pools {
    struct pool *at;
    size_t count;
};
