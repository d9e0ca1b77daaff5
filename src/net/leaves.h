/* The certificates that interception shows: one a host, minted on the worker
 * when it is first asked for, kept in memory, and minted anew before it ends.
 * Owned by main. At most LEAVES_MAX are kept; the one longest unused goes. */
#pragma once

#include "net/ca.h"
#include "net/tls_context.h"
#include "net/worker.h"

#define LEAVES_MAX 256

struct leaves;

/* Lives inside whoever waits. `done` comes once, never from leaves_ask(), with
 * a context to accept the host's clients by (borrowed: ref it), or NULL and why. */
struct leaf_wait {
    struct link link;
    void (*done)(struct leaf_wait *, struct tls_context *, const char *why);
};

struct leaves *leaves_new(struct loop *, struct worker *);

/* Signs by this CA from now on (a reference is taken; NULL: by none). What
 * another one signed is forgotten; handshakes under way keep it. */
void leaves_use(struct leaves *, struct ca *);

/* Can this host (lower case) have one? */
bool leaves_may_sign(const struct leaves *, const char *host);

void leaves_ask(struct leaves *, const char *host, struct leaf_wait *);
void leaves_forget(struct leaf_wait *); /* fine if it does not wait */
size_t leaves_count(const struct leaves *);

/* Nobody may wait any more. What is being minted is waited out by worker_free(). */
void leaves_free(struct leaves *);
