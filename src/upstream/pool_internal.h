/* What the files of the pool share: its life, verbs and figures (pool.c), and the
 * queue of those who wait for a line (pool_queue.c). Nobody else includes this. */
#pragma once

#include "upstream/pool.h"

#define POOL_MAGIC 0x706f6f6c

enum pool_state { STATE_UP, STATE_PAUSED, STATE_DRAINING, STATE_RETIRED };

struct pool {
    unsigned magic;
    uint64_t id;
    enum pool_state state;
    struct loop *loop;
    struct config *snapshot;
    const struct upstream_config *settings;
    struct connector *connector;
    struct pool_origin origin;
    struct lines lines;
    size_t want_new;     /* of the waiters: a new line */
    struct list waiters; /* for a line, first come first served */
    struct list orders;  /* of them, those of orders */
    struct list loners;  /* of them, those that hope for a line of their own */
    size_t gave_way;     /* slow readers, since (loop time, ms): */
    uint64_t gave_way_ms;
    bool ending;        /* the daemon drains */
    uint64_t paused_us; /* all pauses so far; of one that goes on see pause_began_us */
    uint64_t pause_began_us;
    bool gone_paused;     /* retired while it was paused: sends nothing more */
    bool serving;         /* one of them is being told of his line */
    struct list requests; /* all under way, with a line or without */
    struct list fetches;  /* what goes on for them */
    struct list tunnels;
    bool bypass_warned;
    struct gate *gate;
    struct serializer *serializer;
    struct upstream_stats stats;
    struct task end;
    void (*on_empty)(void *owner, struct pool *);
    void *owner;
};

/* What lines tell the queue. */
extern const struct lines_events pool_queue_events;

/* How long it was paused in all; a clock that goes only in pauses. */
uint64_t pool_pause_clock(const struct pool *);

/* Refuses all who wait for a line of a pool that was paused and is gone. */
void pool_refuse_all(struct pool *);

/* Lends what can be lent, and dials for those who are left: after any change. */
void pool_serve(struct pool *);
