/* The certificates that interception shows: one for each host, signed on the worker when it is
 * first needed, kept in memory, and renewed before it expires. Owned by the daemon. At most
 * LEAVES_MAX are kept; the least recently used one is dropped. A certificate is being minted,
 * ready, or failed. */
#pragma once

#include "net/ca.h"
#include "net/tls_context.h"
#include "net/worker.h"

#define LEAVES_MAX 256

struct leaves;

/* Embedded in its owner. `done` is called once, never from inside leaves_ask(), with a context for
 * the handshakes with the host's clients (borrowed: take a reference), or with NULL and the
 * reason. */
struct leaf_wait {
    struct link link;
    void (*done)(struct leaf_wait *, struct tls_context *, const char *why);
};

struct leaves *leaves_new(struct loop *, struct worker *);

/* Signs with this CA from now on (a reference is taken; NULL: no CA). Certificates signed by
 * another CA are dropped; handshakes under way keep theirs. */
void leaves_use(struct leaves *, struct ca *);

/* Returns true if this host (lower case) can have a certificate. */
bool leaves_may_sign(const struct leaves *, const char *host);

void leaves_ask(struct leaves *, const char *host, struct leaf_wait *);
void leaves_forget(struct leaf_wait *); /* allowed if it is not waiting */
size_t leaves_count(const struct leaves *);

/* There must be no waiters. Certificates that are being minted are freed by worker_free(). */
void leaves_free(struct leaves *);
