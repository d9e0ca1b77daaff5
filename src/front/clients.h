/* All client connections: accepts them, counts them, and ends them when the daemon
 * drains and when it exits.
 * Owned by the daemon. Its states are those of struct client_context. */
#pragma once

#include "front/client_limits.h"
#include "front/handler.h"
#include "net/leaves.h"
#include "net/linger.h"

struct clients;

/* `handler` and `lingering` are borrowed for their life. */
struct clients *clients_new(struct loop *, struct lingering *, const struct handler *,
                            const struct client_limits *);

/* What terminates TLS inside CONNECT where the handler's answer asks for it:
 * certificates from `leaves`, which must be able to sign for the hosts so answered.
 * Both are borrowed for their life; without them no answer may ask for it. */
void clients_intercept(struct clients *, struct worker *, struct leaves *);

/* Each request gets an id from there, which its response bears as Trunkline-Request. The
 * generator is borrowed for their life; without it requests have none. */
void clients_identify(struct clients *, struct request_ids *);

/* Takes effect at once, for open connections too. */
void clients_set_limits(struct clients *, const struct client_limits *);

/* Takes a connection just accepted (the stream is taken over, `ingress` is copied).
 * Beyond max_clients, while memory is short and while draining: 503 and close. */
void clients_accept(struct clients *, struct stream *, const struct ingress *);

/* Closes a connection refused at accept (allow_clients), and counts it. */
void clients_reject(struct clients *, struct stream *);

/* `open` now; `accepted` and `rejected` since start. */
void clients_count(const struct clients *, size_t *open, uint64_t *accepted, uint64_t *rejected);

/* Is a response to one of them still to be sent, or a part of it? */
bool clients_owe(const struct clients *);

/* Takes a connection that cannot be served: answers 503 with these words, and closes. */
void clients_turn_away(struct clients *, struct stream *, const struct ingress *,
                       const char *words);

/* Begins to drain: each connection closes after its next response (which says
 * Connection: close). Idle ones stay until clients_dismiss(), which closes them
 * unless a request is arriving. */
void clients_drain(struct clients *);
void clients_dismiss(struct clients *);

/* The daemon exits: every request under way, and any that still comes, is answered with
 * this error of ours (cut short where the head of its response is out), then its
 * connection is half-closed and closes; tunnels are closed. No client that sent a
 * request is closed unanswered. When it returns, responses may still be on their way to
 * slow clients. */
void clients_settle(struct clients *, const struct verdict *);

/* Closes all at once. NULL is fine. */
void clients_free(struct clients *);
