/* Relays raw bytes in both directions between a client and an origin, after CONNECT (RFC
 * 9110 9.3.6) or an upgrade (RFC 6455), with back-pressure and half-close; no timer runs as
 * long as both directions are open. Owned by whoever took it from on_switch, until it ends.
 * States: waiting (there is no client's stream yet), dialling (there is, but the origin has
 * to be dialled), relaying, half open (one side has ended), ended. */
#pragma once

#include "base/buf.h"
#include "net/linger.h"
#include "proxy/freezes.h"
#include "proxy/record.h"
#include "upstream/pool.h"

struct tunnel;

struct tunnel_events {
    /* While it waits: the origin sent something first, or has ended. Once. */
    void (*on_origin)(void *owner);
    /* After tunnel_join(): both sides have ended or one failed, and all is closed. The
     * pointer is dead. */
    void (*on_over)(void *owner);
};

enum tunnel_kind { TUNNEL_CONNECT, TUNNEL_UPGRADE };

/* Takes the stream over, paused; `ahead` is what has been read from it and counted (copied).
 * Holds the pool and the way, in whose statistics its bytes are counted. Without a stream (NULL) the
 * origin is dialled when the client joins; if that fails, the client's stream is reset. */
struct tunnel *tunnel_new(struct loop *, struct pool *, struct way *, enum tunnel_kind,
                          struct stream *origin, struct span ahead);

/* The record that is to be told when it ends, in whatever way (taken over). */
struct tunnel_record;
void tunnel_set_record(struct tunnel *, struct tunnel_record *);

/* A listener that gives a tunnel a copy of the record, to be told when it ends; its context. */
struct tunnel_taker {
    struct tunnel *tunnel;
    uint64_t began_us;
    record_listener *listener;
    uint64_t least_us;
    void *context;
};
void tunnel_take_record(void *taker, const struct record *);

/* How the stream was dialled, in case it becomes a line of the pool (copied). */
void tunnel_set_report(struct tunnel *, const struct dial_report *);

/* If its upstream, or that bot, is frozen by the time the client's stream joins, the tunnel ends
 * instead: nothing is known of what it would carry. The name is copied. */
void tunnel_set_freezes(struct tunnel *, const struct freezes *, struct span bot);

/* Begins to listen to the origin. */
void tunnel_wait(struct tunnel *, const struct tunnel_events *, void *owner);

/* Takes the client's stream over and relays, beginning with what has been read from it
 * (`ahead` is emptied). It counts as a tunnel from here on; a CONNECT to an upstream of the
 * configuration is also counted as one that bypasses the pool. At the end, what is still
 * queued to a side is left to `lingering` to deliver. */
void tunnel_join(struct tunnel *, struct stream *client, struct buf *ahead, struct lingering *,
                 const struct tunnel_events *, void *owner);

/* While it waits: it is not needed. A connection that was dialled for a CONNECT goes to the
 * pool. Frees it; no event comes after. */
void tunnel_yield(struct tunnel *);

/* Closes what it has, and frees it; no event comes after. */
void tunnel_close(struct tunnel *);
