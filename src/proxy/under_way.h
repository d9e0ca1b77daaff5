/* The requests under way, oldest first, so that they can be counted and told of one by
 * one over several turns of the loop. Owned by the proxy, in its totals; each request's
 * tally has the entry. A request is under way while its entry is on the list. */
#pragma once

#include "base/failure.h"
#include "base/list.h"
#include "base/request_id.h"
#include "base/text.h"
#include "http/progress.h"

struct under_way_entry {
    struct link all, request;
};

/* One of them, as /requests shows it. Borrowed until the loop turns. */
struct request_view {
    const struct request_id *id;
    uint64_t age_us;
    const char *client, *bot, *upstream; /* bot, upstream: NULL if there is none */
    struct span method;
    struct progress progress;
    enum sent sent;
    bool left; /* its client did; its outcome is awaited all the same */
};

/* Describes one, and appends its target, in which secrets are redacted. */
typedef void under_way_describer(const struct under_way_entry *, struct request_view *,
                                 struct text *target);

struct under_way {
    under_way_describer *describe; /* knows what the entries are in */
    struct list all;
    struct list requests; /* those that count as requests: all but CONNECT */
    struct list walks;
};

/* A look at all of them that goes on while some end and others begin: those that begin
 * after it are not told. */
struct under_way_walk {
    struct link link;
    struct link *next, *last; /* NULL: there is none */
};

void under_way_init(struct under_way *, under_way_describer *);

/* It begins; it ends. An entry that is not on the list may leave it. */
void under_way_enter(struct under_way *, struct under_way_entry *, bool is_request);
void under_way_leave(struct under_way *, struct under_way_entry *);

/* Begins at the oldest. Each walk that was begun must be ended, before the totals end. */
void under_way_walk_begin(struct under_way *, struct under_way_walk *);

/* The next one that is still under way, or NULL. */
struct under_way_entry *under_way_next(struct under_way_walk *);
void under_way_walk_end(struct under_way_walk *);
