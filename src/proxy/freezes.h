/* What is frozen: whose orders must not leave, by upstream, by bot, or all (contract 12). Owned by
 * the proxy. Each freeze is on a list until it is lifted; it has no other states. They are by
 * name, so they outlive a reload and pools that come and go, and can be saved and restored.
 *
 * What asks is one place in each way to an origin: a request that waits to be sent has an entry
 * here, hears at once of a freeze, and asks again when its turn comes. */
#pragma once

#include "base/failure.h"
#include "base/list.h"
#include "base/span.h"
#include "net/loop.h"

#define FREEZES_MAX 4096

struct freezes;

struct freeze {
    const char *upstream; /* NULL: all of them, also those to come */
    const char *bot;      /* NULL: all, and requests that name none */
    const char *by;       /* who or what froze it, for people */
    int64_t since_ms;     /* wall clock */
    bool lifted;          /* an exception: what froze all upstreams does not freeze this one */
};

struct freezes *freezes_new(struct loop *);
void freezes_free(struct freezes *); /* no entry may be left */

/* Freezes, from now on and for those that wait (freezes_enter()), which hear it before this returns.
 * What is frozen already stays as it is. The texts are copied. False: there are FREEZES_MAX. */
bool freezes_begin(struct freezes *, const char *upstream, const char *bot,
                   const char *by) MUST_CHECK;

/* Ends it for this upstream (NULL: for all), with the same bot (NULL: the freeze of all bots; those
 * of single bots stay). False: it was not frozen. */
bool freezes_lift(struct freezes *, const char *upstream, const char *bot);

/* The freeze that stops orders of this bot (empty: none was named) to this upstream; NULL: none. */
const struct freeze *freezes_find(const struct freezes *, const char *upstream, struct span bot);

/* The answer to an order that it stops. */
struct verdict freezes_verdict(void);

/* ---- to save and restore, and to show */

/* Visits all, oldest first, exceptions too. */
typedef void freezes_visit(void *context, const struct freeze *);
void freezes_each(const struct freezes *, freezes_visit *, void *context);

/* Visits the freezes of single bots that hold for this upstream (NULL: for any of them), each bot
 * once. */
void freezes_each_bot(const struct freezes *, const char *upstream, freezes_visit *, void *context);

/* Adds one that was saved (copied), before the first request. One of the same upstream and bot
 * stays as it is, as do all beyond FREEZES_MAX. */
void freezes_restore(struct freezes *, const struct freeze *);

/* Calls this after each change, but not for freezes_restore(). */
void freezes_watch(struct freezes *, void (*on_change)(void *owner), void *owner);

/* ---- for what waits to be sent */

struct freezes_entry {
    /* Something was frozen: the owner asks whether it is stopped. It may leave in this call. */
    void (*on_freeze)(void *owner);
    void *owner;
    struct link link;
};

/* It hears of freezes until it leaves; it may leave without having entered. */
void freezes_enter(struct freezes *, struct freezes_entry *);
void freezes_leave(struct freezes_entry *);
