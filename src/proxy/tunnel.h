/* Raw bytes both ways between a client and an origin, after CONNECT (RFC 9110
 * 9.3.6) or an upgrade (RFC 6455): with back-pressure and half-close, and with
 * no timer as long as both sides are open. Owned by whoever took it from
 * on_switch, until it is over. Waiting (the origin's side alone, which it listens
 * to, or not even that), joined, over. */
#pragma once

#include "base/buf.h"
#include "net/linger.h"
#include "upstream/pool.h"

struct tunnel;

struct tunnel_events {
    /* While it waits: the origin spoke first, or has ended. Once. */
    void (*on_origin)(void *owner);
    /* Once joined: both sides have ended or one broke, and all is closed. The
     * pointer is dead. */
    void (*on_over)(void *owner);
};

enum tunnel_kind { TUNNEL_CONNECT, TUNNEL_UPGRADE };

/* Takes the stream over, paused; `ahead` is what it had read and counted. Holds the
 * pool, in whose statistics its bytes are counted. NULL: the origin is dialled
 * when the client joins; should that fail, the client's stream is reset. */
struct tunnel *tunnel_new(struct loop *, struct pool *, enum tunnel_kind, struct stream *origin,
                          struct span ahead);

/* What is to be told at its end, however that comes (taken over). */
struct tunnel_record;
void tunnel_set_record(struct tunnel *, struct tunnel_record *);

/* How the stream was dialled, for a line made of it. */
void tunnel_set_report(struct tunnel *, const struct dial_report *);

/* Listens to the origin from now on. */
void tunnel_wait(struct tunnel *, const struct tunnel_events *, void *owner);

/* Takes the client's stream over and relays, beginning with what it had read
 * (`ahead` is emptied). It counts as a tunnel from here on, and a CONNECT to an
 * upstream of the configuration as one that goes past its pool. Answers still in a
 * queue at the end are left to `lingering`. */
void tunnel_join(struct tunnel *, struct stream *client, struct buf *ahead, struct lingering *,
                 const struct tunnel_events *, void *owner);

/* While it waits: it is not needed. What was dialled for it goes to the pool; no
 * event comes after. */
void tunnel_yield(struct tunnel *);

/* Closes whatever it has; no event comes after. */
void tunnel_close(struct tunnel *);
