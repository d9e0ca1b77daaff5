/* One upstream: its ways to its exchange (way.h), what is one for all of them, its counters, and
 * what an operator said of it. Without `exits` and `endpoints` there is one way. Owned by `pools`. What it lends
 * is a slot: the right to one exchange on one line. Up, paused (requests wait), draining (new requests are refused), retired (gone from
 * the configuration: it ends with its last request) or gone (retired while it was paused:
 * likewise, but nothing more is sent). */
#pragma once

#include "base/failure.h"
#include "budget/serializer.h"
#include "config/config.h"
#include "upstream/clock_watch.h"
#include "upstream/pool_verb.h"
#include "upstream/pool_view.h"

struct pool;

/* What a pool is made for; copied. */
struct pool_origin {
    const char *name;      /* the block's, or the authority of an unlisted host */
    const char *origin;    /* "https://api.binance.com:443" */
    const char *authority; /* for Host: no default port */
    const char *next_hop;  /* "api.binance.com:443" */
    bool listed;
};

/* The maker's context lives as long as the pool. Pins the snapshot; begins to open min_idle lines.
 * `settings` lives in the snapshot, or (unlisted) as long as the pool.
 * `on_empty` is called when a retired pool has ended: then free it. */
struct pool *pool_new(struct loop *, const struct way_maker *, struct config *snapshot,
                      const struct upstream_config *settings, const struct pool_origin *,
                      void (*on_empty)(void *owner, struct pool *), void *owner);

/* Closes all lines. No request may be under way on it, and nothing may hold it. */
void pool_free(struct pool *);

/* New settings for the same origin. With `renew` its lines are replaced as they
 * fall idle (address or TLS changed), else they are kept. */
void pool_configure(struct pool *, struct config *snapshot, const struct upstream_config *,
                    bool renew);

/* Another origin of the same name: what is under way ends where it is, lines to the old one are
 * replaced, and waiting requests go there, as soon as the operator lets them (a pause or a drain
 * lasts). The budget, the counters and the name stay. Of several endpoints the origin is the first; those
 * that stay keep their lines, but with `renew`. */
void pool_redirect(struct pool *, struct config *snapshot, const struct upstream_config *,
                   const struct pool_origin *, bool renew);

/* Ends with its last request; nothing new may be asked of it. Requests that wait in a pause are
 * refused: leaving the configuration does not end the pause. */
void pool_retire(struct pool *);

/* The daemon drains: idle lines close, requests under way are still served, those that wait in
 * a pause after POOL_RESUME. Idempotent. */
void pool_drain(struct pool *);

/* An operator's verb. A retired pool takes none; freeze and unfreeze are the proxy's. */
void pool_command(struct pool *, enum pool_verb);

/* What a request chooses its way from; the same, to look at. */
struct ways *pool_ways(struct pool *);
const struct ways *pool_ways_shown(const struct pool *);

/* Asks that way for a slot: see pool_queue_ask(). A pool that drains refuses. The waiter's own
 * functions are in pool_queue.h, and so are patience and the like. */
struct line *pool_acquire(struct pool *, struct way *, struct pool_waiter *, uint64_t until_ms);

/* A request is under way (with or without a line) until pool_leave(): it is counted as such,
 * and keeps a retired pool alive. */
void pool_enter(struct pool *, struct link *request);
void pool_leave(struct pool *, struct link *request);

/* Keeps a retired pool alive, uncounted: what goes on for requests may outlast the one that
 * began it. */
void pool_hold(struct pool *, struct link *fetch);
void pool_release(struct pool *, struct link *fetch);

/* A tunnel to the origin, counted while it is open. It needs a hold besides. */
void pool_add_tunnel(struct pool *, struct link *tunnel);
void pool_remove_tunnel(struct pool *, struct link *tunnel);

/* May what needs no line of the pool (CONNECT, an upgrade) begin now? It does not wait: a pool
 * that is paused or drains refuses it. */
bool pool_admits(const struct pool *, struct verdict *why) MUST_CHECK;

/* A connection to the origin, dialled that way for a tunnel that does not need it after all,
 * becomes a line, if there is room. Taken over in either case. */
void pool_adopt(struct pool *, struct way *, struct stream *, const struct dial_report *);

/* A client tunnels to an origin that the configuration has an upstream for. Warns once. */
void pool_warn_bypassed(struct pool *);

struct serializer *pool_serializer(struct pool *); /* serialize_by */

/* The head of an ordinary response came now; its request was sent at `sent_us` (loop_clock_us()) or
 * later. Its Date tells how far our clock is off. */
void pool_learn_clock(struct pool *, const struct fields *, uint64_t sent_us);

/* Never used again by another pool in the daemon's life. */
uint64_t pool_id(const struct pool *);
bool pool_is_draining(const struct pool *); /* new requests are refused */
bool pool_is_stopped(const struct pool *);  /* an operator paused it, or drains it */

/* Whether an upstream is frozen, since when (wall clock) and by whom, which is not the pool's to
 * decide: asked for pool_view. */
struct pool_freeze {
    bool (*is_frozen)(const void *context, const char *upstream, int64_t *since_ms,
                      const char **by);
    const void *context;
};
void pool_ask_frozen(struct pool *, const struct pool_freeze *); /* borrowed for its life */

/* A freeze may have begun or ended, so that pool_view can tell when. */
void pool_look_frozen(struct pool *);

/* What /stats shows of it; valid until it is described again, or the loop turns. */
void pool_describe(const struct pool *, struct pool_view *);

struct upstream_stats *pool_stats(struct pool *);
const struct recent *pool_recent(const struct pool *);
const struct upstream_config *pool_settings(const struct pool *);
const struct pool_origin *pool_origin(const struct pool *);
bool pool_floor_tried(const struct pool *); /* min_idle lines came up, or one failed */
size_t pool_requests(const struct pool *);
size_t pool_lines(const struct pool *);
void pool_each_line(const struct pool *, line_visit *, void *context); /* see lines_each() */
