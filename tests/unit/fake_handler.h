/* A handler whose exchanges echo their request ("METHOD target name=value;… [body] {trailers}") or
 * are controlled by the test. Owned by the test. An exchange is open until it ends or is
 * cancelled. */
#pragma once

#include "base/text.h"
#include "front/clients.h"
#include "net/loop.h"

struct fake_exchange;

struct fake_handler {
    struct handler handler;
    struct loop *loop;
    bool echo;                  /* responds by itself when the request is complete */
    enum framing framing;       /* of the echo */
    bool full;                  /* accepts no more data after each piece of a body */
    bool intercepts;            /* TLS inside CONNECT is to be terminated */
    bool follows;               /* exchanges continue without their owner */
    bool asap;                  /* an exchange that is full drains by itself, in the same turn */
    uint64_t patience;          /* with a client that reads nothing; 0: no limit */
    struct fake_exchange *last; /* the exchange opened last, while it is open */
    unsigned opened, finished, cancelled, followed, ended, refused, paused, resumed;
    unsigned tls_failed;
    enum failure tls_failure;
    int refused_status;
    bool refused_with_request;
    struct request_id id;   /* of the last request, opened or refused */
    struct ingress ingress; /* of the last request */
    char upstream[32];      /* and its upstream's name */
    char tunnel[32];        /* and the host of the tunnel it came in */
    struct text body;       /* received by all exchanges */
};

void fake_handler_init(struct fake_handler *, struct loop *);
void fake_handler_free(struct fake_handler *);

/* Raise events of the exchange opened last. */
void fake_head(struct fake_handler *, unsigned status, enum framing, uint64_t length);
void fake_interim(struct fake_handler *, unsigned status);
void fake_body(struct fake_handler *, const char *data, size_t len);
void fake_end(struct fake_handler *);
void fake_fail(struct fake_handler *);
void fake_drain(struct fake_handler *);
void fake_switch(struct fake_handler *, unsigned status, const struct switched *);
const struct request *fake_request(const struct fake_handler *);
