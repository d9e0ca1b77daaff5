/* One client connection: parses its requests (llhttp, strict), hands each to a
 * handler as an exchange, and writes the answers in order, one exchange at a
 * time. Knows no upstream. A client that ends its side (EOF) or resets while a
 * request is unanswered has left: the exchange is cancelled, and requests it
 * sent ahead are dropped. An answer that cannot be completed is closed short.
 * Owned by its house. Idle, reading a head, in an exchange, or closing. */
#pragma once

#include "http/exchange.h"
#include "http/ingress.h"
#include "net/leaves.h"
#include "net/linger.h"
#include "net/stream.h"

struct client;
struct clients;

struct handler {
    void *self;
    /* Is TLS to end here inside this request, a CONNECT? */
    bool (*intercepts)(void *self, const struct request *, const struct ingress *);
    /* Answers a request by an exchange (never NULL; errors are exchanges too).
     * `request` lives until the exchange's end. */
    struct exchange *(*open)(void *self, const struct request *, const struct ingress *,
                             const struct exchange_events *, void *owner);
    /* The client side refused something itself (malformed, 408, 431, …); for
     * counting and the access log. Where the head never was complete `request` has an
     * id, and an empty method. */
    void (*refused)(void *self, const struct request *, const struct ingress *,
                    const struct verdict *);
    /* TLS inside CONNECT was to end here, and came to nothing: mostly a client that
     * does not trust the CA. No request was made. */
    void (*unsecured)(void *self, const struct ingress *, const struct verdict *);
};

/* So many clients at once may be between CONNECT and the end of their TLS handshake
 * here; CONNECT of one more is 503. */
#define SECURING_MAX 256

struct client_limits { /* of the configuration; read at each use, so a reload shows */
    unsigned max_clients;
    uint64_t header_timeout_ms, idle_timeout_ms, body_timeout_ms;
    size_t max_header_size, max_uri_size;
};

/* All of them. `handler` is borrowed for their life. */
struct clients *clients_new(struct loop *, struct lingering *, const struct handler *,
                            const struct client_limits *);
/* Where TLS inside CONNECT is ended, if the handler's answer says so: certificates
 * from `leaves`, which may sign for what was answered so. Both are borrowed for
 * their life; without them nothing may be answered so. */
void clients_intercept(struct clients *, struct worker *, struct leaves *);

/* Each request gets an id from there, which its answer bears as Trunkline-Request. The
 * generator is borrowed for their life; without it requests have none. */
void clients_identify(struct clients *, struct request_ids *);

void clients_set_limits(struct clients *, const struct client_limits *);

/* Takes a connection just accepted. Beyond max_clients: 503 and close. */
void clients_accept(struct clients *, struct stream *, const struct ingress *);

/* A connection refused at accept (allow_clients): counted, closed. */
void clients_reject(struct clients *, struct stream *);

/* open = membership; accepted and rejected since start. */
void clients_count(const struct clients *, size_t *open, uint64_t *accepted, uint64_t *rejected);

/* Takes one that cannot be served: answers 503 with these words, and closes. */
void clients_turn_away(struct clients *, struct stream *, const struct ingress *,
                       const char *words);

/* Begins to drain: each connection closes after its next answer (which says
 * Connection: close). Those that are idle stay until clients_dismiss(), which closes
 * them but for those on which a request is arriving. */
void clients_drain(struct clients *);
void clients_dismiss(struct clients *);

/* The very end: every request under way, and any that still comes, is answered with
 * this error of ours (cut short where an answer's head is out), then its connection
 * closes, half-closed first; tunnels are closed. Nobody who asked is closed unanswered;
 * answers may still be on their way to slow clients when it returns. */
void clients_settle(struct clients *, const struct verdict *);

/* Closes all at once. */
void clients_free(struct clients *);
