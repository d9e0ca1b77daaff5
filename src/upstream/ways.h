/* The ways of one upstream (way.h): one for each pair of an exit and an endpoint, in the configuration's
 * order, exit by exit; without `exits` and `endpoints` the only one. And which of them a request leaves
 * by. Embedded in its pool. A way is in use or leaving; beyond that there are no states. */
#pragma once

#include "upstream/way.h"

/* ways.h alone writes here. */
struct ways {
    struct way **at;     /* those in use, at least one */
    size_t count, hosts; /* all; of each exit */
    size_t turn;
    unsigned changes; /* how often they were set: bits of `tried` hold until then */
    struct list leaving;
    char **names; /* of exits, present and past: records and log lines refer to them */
    size_t name_count;
    struct way_host **known; /* of endpoints, likewise */
    size_t known_count;
    struct way_common common;
};

#define EACH_WAY(ways, w)                                                                          \
    for (size_t w##_i = 0; w##_i < (ways)->count; w##_i++)                                         \
        for (struct way *w = (ways)->at[w##_i]; w; w = NULL)

/* The first way of each exit: for what is kept once per exit. */
#define EACH_EXIT(ways, w)                                                                         \
    for (size_t w##_i = 0; w##_i < (ways)->count; w##_i += (ways)->hosts)                          \
        for (struct way *w = (ways)->at[w##_i]; w; w = NULL)

/* What an operator said of the upstream holds for a way that comes later too. */
struct ways_mood {
    bool is_paused, is_draining;
};

/* Empty, until ways_set(). `common` is copied (its on_left and owner are set here); its strings and
 * its statistics are borrowed. */
void ways_init(struct ways *, const struct way_common *);
void ways_free(struct ways *);

/* They become those of the settings. One that was there before keeps all that it has; where there is
 * one endpoint before and after, its way is redirected if it is another. `snapshot` is that of the
 * settings before; `renew` as in pool_configure(). */
void ways_set(struct ways *, const struct upstream_config *, struct config *snapshot, bool renew,
              struct ways_mood);

/* The exit that a request leaves by (way_choice.h): one of its ways, with its bit for `tried`. NULL: it
 * has tried all that it may take. */
struct ways_wish {
    const struct gate_waiter *kind; /* what the gate is told of it */
    uint64_t credential;            /* it leaves by that one's exit; 0: by any */
    uint64_t tried;                 /* the bits of ways that failed it */
    bool is_timed,
        is_new; /* for ways_settle(): it is a public GET or HEAD; see endpoint_fastest() */
};
struct way *ways_choose(struct ways *, const struct ways_wish *, uint64_t *bit);

/* Of the ways of that one's exit, the one that the request leaves by (endpoint_choice.h), with its bit.
 * NULL: it has tried all, or the exit is gone. */
struct way *ways_settle(struct ways *, const struct way *, const struct ways_wish *, uint64_t *bit);

/* Which endpoint orders and private requests, and public ones but for probes, would be sent to now by that
 * exit; the indices of endpoints. SIZE_MAX: it is not known yet. */
struct ways_roles {
    size_t orders, public;
};
struct ways_roles ways_roles(const struct ways *, size_t exit);

/* Of the ways of that one's exit, the one to that host; if it is none of the endpoints, the first. */
struct way *ways_toward(const struct ways *, struct way *, struct span host, uint16_t port);

/* The bits of all the ways of that one's exit; of those that have a connection to lend. */
uint64_t ways_exit_bits(const struct ways *, const struct way *);
uint64_t ways_warm_bits(const struct ways *);

/* The operator ends their holds and pauses. */
void ways_resume(struct ways *, bool ending);

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
