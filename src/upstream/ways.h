/* The ways of one upstream (way.h): one without `exits`, else one per exit, in the configuration's
 * order; and which of them a request leaves by. Embedded in its pool. A way is in use or leaving;
 * beyond that there are no states. */
#pragma once

#include "upstream/way.h"

/* ways.h alone writes here. */
struct ways {
    struct way **at; /* those in use, at least one */
    size_t count, turn;
    struct list leaving;
    char **names; /* of exits, present and past: records and log lines refer to them */
    size_t name_count;
    struct way_common common;
};

#define EACH_WAY(ways, w)                                                                          \
    for (size_t w##_i = 0; w##_i < (ways)->count; w##_i++)                                         \
        for (struct way *w = (ways)->at[w##_i]; w; w = NULL)

/* What an operator said of the upstream holds for a way that comes later too. */
struct ways_mood {
    bool is_paused, is_draining;
};

/* Empty, until ways_set(). `common` is copied (its on_left and owner are set here); its strings and
 * its statistics are borrowed. */
void ways_init(struct ways *, const struct way_common *);
void ways_free(struct ways *);

/* They become those of the settings. One that was there before keeps all that it has. `snapshot`
 * is that of the settings before. */
enum ways_change { WAYS_KEEP, WAYS_RENEW, WAYS_REDIRECT }; /* as pool_configure() and the like */
void ways_set(struct ways *, const struct upstream_config *, struct config *snapshot,
              enum ways_change, struct ways_mood);

/* The way that a request leaves by (way_choice.h), with its bit for `tried`. NULL: it has tried all
 * that it may take. */
struct ways_wish {
    const struct gate_waiter *kind; /* what the gate is told of it */
    uint64_t credential;            /* it leaves by that one's; 0: by any */
    uint64_t tried;                 /* the bits of ways that failed it */
};
struct way *ways_choose(struct ways *, const struct ways_wish *, uint64_t *bit);

/* Would such a request be held now, whichever it took? */
bool ways_hold(const struct ways *, const struct gate_waiter *);

/* The addresses that established connections lead to, with their number; `most` of them at most.
 * Returns how many there are in `to`. */
struct way_address {
    char text[ADDRESS_TEXT];
    size_t count;
};
size_t ways_addresses(const struct ways *, struct way_address *to, size_t most);

size_t ways_lines(const struct ways *); /* open ones of all, leaving ones too */
