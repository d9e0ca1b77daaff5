/* Whether the origin of an HTTP/2 connection is still there. Embedded in its h2_conn, which
 * reports what it receives: a PING (RFC 9113 6.7) is sent after a silence; the connection is
 * doubted, and then given up, if nothing comes. The origin was heard, has been asked by a
 * PING, or is doubted. */
#pragma once

#include "base/list.h"
#include "base/state.h"
#include "net/loop.h"
#include "protocol/conn.h"

/* If nothing was received for this long, idle or busy, a PING is sent (ms). If nothing has
 * come H2_DOUBT_MS after it, the connection has no capacity until something does; after
 * H2_PONG_MS it is given up. */
#define H2_IDLE_PING_MS 10000
#define H2_BUSY_PING_MS 15000
#define H2_DOUBT_MS 500
#define H2_PONG_MS 2000

/* If the owner of an exchange cancels it after the connection has received nothing for this
 * long (ms), the connection is doubted; if a deadline of the proxy expired, at once
 * (contract 11). */
#define H2_SILENCE_MS 500

/* ASKED: a PING was sent, and nothing has come since. */
#define H2_PROOF_STATES(S)                                                                         \
    S(H2_PROOF_HEARD, "heard", TO(H2_PROOF_ASKED))                                                 \
    S(H2_PROOF_ASKED, "asked", TO(H2_PROOF_HEARD) | TO(H2_PROOF_DOUBTED))                          \
    S(H2_PROOF_DOUBTED, "doubted", TO(H2_PROOF_HEARD))
STATE_TYPE(h2_proof, H2_PROOF_STATES)

/* None of them may free the connection. */
struct h2_proof_events {
    void (*on_ping_due)(struct conn *); /* a PING is to be sent */
    void (*on_doubted)(struct conn *);
    void (*on_proved)(struct conn *); /* after a doubt */
    void (*on_dead)(struct conn *);   /* it is to be given up */
};

struct h2_proof {
    enum h2_proof_state state;
    const struct h2_proof_events *events;
    struct conn *conn;
    struct loop *loop;
    const struct list *open;     /* the exchanges on the connection: it is busy, or idle */
    uint64_t heard_at, asked_at; /* last bytes received, last PING sent (loop time, ms) */
    uint64_t unanswered_since;   /* of the exchanges given up since the last byte, when the
                                    first was opened; 0: there is none */
    struct deadline due;
};

/* Begins to watch. It keeps `doubted` and `awaited_until` of the connection. */
void h2_proof_init(struct h2_proof *, struct loop *, struct conn *, const struct list *open,
                   const struct h2_proof_events *);

/* Ends it: no event comes after. */
void h2_proof_stop(struct h2_proof *);

/* Bytes were received. Any prove that the origin is there, not only the answer to the PING. */
void h2_proof_heard(struct h2_proof *);

/* No response is awaited any more for a request that was sent; it was opened at `since` (loop
 * time, ms). `late`: a deadline expired; otherwise its owner has cancelled. */
void h2_proof_unanswered(struct h2_proof *, uint64_t since, bool late);
