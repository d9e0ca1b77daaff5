/* How far an exchange has come, for an operator who asks what is under way (contract 12):
 * the state in the words of /requests, and the connection it is on. A plain value, made
 * when it is asked for. */
#pragma once

#include <stdint.h>

#define PROGRESS_STATES(X)                                                                         \
    X(READING, "reading")       /* the request's body is gathered before anything is waited for */ \
    X(GATED, "gated")           /* serialize_by, the rate, a weight or a hold delays it */         \
    X(QUEUED, "queued")         /* all connections are busy, or the upstream is paused */          \
    X(CONNECTING, "connecting") /* a connection is being opened for it */                          \
    X(SENDING, "sending")       /* it has a connection, and is not sent whole */                   \
    X(AWAITING, "awaiting")     /* it was sent whole; no head of a response has come */            \
    X(RECEIVING, "receiving")   /* the response comes, or its client still reads it */

enum progress_state {
#define X(name, word) PROGRESS_##name,
    PROGRESS_STATES(X)
#undef X
};

/* "gated" */
const char *progress_word(enum progress_state);

struct progress {
    enum progress_state state;
    uint64_t line;       /* the number of the connection that it has; 0: none */
    const char *address; /* of that connection's other end; NULL: none. Borrowed until the
                            loop turns */
};
