/* An operator's freeze and unfreeze: finds what is meant, does it, and logs it. Pure but for that;
 * without owner or state. */
#pragma once

#include "config/config.h"
#include "proxy/freezes.h"
#include "upstream/pools.h"

struct freeze_verb {
    bool lifts;           /* unfreeze */
    struct span upstream; /* empty: all of them */
    struct span bot;      /* empty: all of them */
    const char *who;      /* says so, for the log and /stats */
};

enum freeze_outcome {
    FREEZE_DONE,    /* also if nothing changed */
    FREEZE_UNKNOWN, /* there is no upstream of that name, nor a host without a block in use */
    FREEZE_FULL     /* FREEZES_MAX */
};

/* Sets `tunnels` to how many CONNECT tunnels and upgraded connections are open to what was frozen:
 * what they carry goes on. */
enum freeze_outcome freeze_verb_obey(const struct freeze_verb *, struct freezes *,
                                     const struct pools *, const struct config *, size_t *tunnels);
