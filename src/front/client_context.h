/* What all client connections share: the loop, the handler of their requests, the
 * limits, and the lists they are on.
 * Owned by `clients`, which alone writes it; a connection puts itself on its lists.
 * Serving, draining (each connection closes after its next response), or ending
 * (every request is answered with `ending`). */
#pragma once

#include "base/list.h"
#include "base/state.h"
#include "front/client_limits.h"
#include "front/handler.h"
#include "net/leaves.h"
#include "net/linger.h"

/* So many clients at once may be between CONNECT and the end of the TLS handshake
 * that is terminated here; CONNECT of one more is answered with 503. */
#define SECURING_MAX 256

#define CLIENTS_STATES(S)                                                                          \
    S(CLIENTS_SERVING, "serving", TO(CLIENTS_DRAINING) | TO(CLIENTS_ENDING))                       \
    S(CLIENTS_DRAINING, "draining", TO(CLIENTS_ENDING))                                            \
    S(CLIENTS_ENDING, "ending", 0)
STATE_TYPE(clients, CLIENTS_STATES)

struct client_context {
    enum clients_state state;
    struct loop *loop;
    struct lingering *linger;
    const struct handler *handler;
    struct client_limits limits;
    struct worker *worker; /* for interception, as `leaves`; or NULL */
    struct leaves *leaves;
    struct request_ids *ids; /* or NULL */
    struct verdict ending;   /* with CLIENTS_ENDING: the answer to every request */
    struct list open;        /* all connections */
    struct list securing;    /* those that count towards SECURING_MAX */
};
