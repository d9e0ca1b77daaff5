/* What the files of the client side share: the connection (client.c), the call
 * in progress on it (client_parse.c reads it, client_write.c answers it), what
 * becomes of it after CONNECT or an upgrade (client_switch.c) and where TLS ends
 * inside CONNECT (client_secure.c), and the house of all connections (clients.c).
 * Nobody else includes this. */
#pragma once

#include <llhttp.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/text.h"
#include "front/client.h"
#include "http/head.h"
#include "proxy/tunnel.h"

#define TLS_HANDSHAKE 0x16 /* the first byte of a ClientHello, RFC 8446 5.1 */

struct clients {
    struct loop *loop;
    struct lingering *linger;
    const struct handler *handler;
    struct client_limits limits;
    struct worker *worker; /* for interception, as `leaves`; or NULL */
    struct leaves *leaves;
    struct request_ids *ids; /* or NULL */
    struct list open;
    struct list securing; /* those whose TLS is to end here, from CONNECT to its handshake's end */
    uint64_t accepted, rejected;
    bool draining;
    struct verdict ending; /* what every request is answered with; FAILURE_NONE: none is */
};

/* IDLE: between requests. HEAD: a byte of a request has come. EXCHANGE: its
 * head is complete, its answer is not. LOOKING: CONNECT was answered with 200, and
 * what comes first inside will tell whether it is HTTP. SECURING: it is TLS that
 * ends here, and its handshake is not over. TUNNEL: its stream is the tunnel's.
 * LEAVING: the last answer is written, the client still reads it. CLOSED: freed by
 * the task. */
#define CLIENT_STATES(X)                                                                           \
    X(IDLE) X(HEAD) X(EXCHANGE) X(LOOKING) X(SECURING) X(TUNNEL) X(LEAVING) X(CLOSED)

enum client_state {
#define X(name) CLIENT_##name,
    CLIENT_STATES(X)
#undef X
};

/* What the one deadline is set for. TURN: the next request is here already. */
enum client_wait {
    WAIT_NONE,
    WAIT_IDLE,
    WAIT_TLS,
    WAIT_HEAD,
    WAIT_BODY,
    WAIT_QUEUE,
    WAIT_READER,
    WAIT_TURN,
    WAIT_PEER
};

/* One request and its answer. Allocated with the first byte of the request,
 * freed when both are complete, so that an idle connection costs little. */
struct call {
    llhttp_t parser;
    struct arena *arena;
    struct head head, trailers;
    struct request request;
    struct verdict refusal;    /* if a callback of the parser refused it */
    struct exchange *exchange; /* NULL: not opened yet, or ended */
    struct text out;           /* of the answer, until the end of the turn */
    const char *input;         /* what is being parsed, and */
    char before[3];            /* the last bytes before it */
    bool version_seen, version_complete, head_complete, complete; /* of the request */
    bool refused;
    bool held;                    /* the exchange wants no more of the body now */
    bool head_out, ended, failed; /* of the answer */
    bool last;                    /* the connection ends with it */
    bool may_switch;              /* CONNECT or an upgrade: what follows may be no HTTP */
    bool paused;                  /* the exchange was told to hold */
    enum framing framing;         /* of the answer, for this client */
    uint64_t left;                /* of it, with FRAMING_LENGTH */
};

struct client {
    unsigned magic;
    enum client_state state;
    enum client_wait wait;
    bool backlogged;     /* stream_write() was false, on_drain has not come */
    bool reading_paused; /* too much was sent ahead */
    struct link link;    /* in the house */
    struct link place;   /* among those of which SECURING_MAX may be */
    struct clients *house;
    struct stream *stream; /* NULL: closed, or the tunnel's */
    struct tunnel *tunnel; /* from the answer to CONNECT or an upgrade on */
    bool intercepts;       /* LOOKING: TLS is to end here */
    struct leaf_wait leaf; /* SECURING: for the certificate to show */
    struct call *call;
    struct buf kept; /* received, not to be parsed yet */
    struct deadline deadline;
    struct task task;    /* the end of the turn: flush, go on, free */
    uint64_t last_input; /* loop time */
    uint64_t taken;      /* of the stream, when the deadline was set */
    uint64_t taken_at;   /* WAIT_READER: when it was seen to have grown (loop time, ms) */
    struct ingress ingress;
};

/* ---- client.c */
void client_new(struct clients *, struct stream *, const struct ingress *);
void client_become(struct client *, enum client_state);

/* Is more input to be parsed now? */
bool client_listens(const struct client *);

/* Does at the end of the turn what there is to do. */
void client_defer(struct client *);

/* Sets the one deadline as the state wants it. */
void client_arm(struct client *);

/* The client is gone, or is to be cut off: cancels, closes. Idempotent. */
void client_close(struct client *, const char *why);

/* Nothing more will be answered: what is written goes out, then linger. */
void client_leave(struct client *);

/* Closes it if it is between two requests, with none on its way. */
void client_dismiss(struct client *);

/* The house is ending: answers what it has asked for so, and then closes it. */
void client_settle(struct client *);

/* From here on it hears of its stream, which may be a new one. */
void client_listen(struct client *);

/* Parses what was kept, as far as that is possible now. */
void client_go_on(struct client *);

/* ---- client_switch.c */

/* The answer was the last of HTTP, or is said to be. Frees the call. */
void client_switch(struct client *, const struct switched *);

/* LOOKING: decides, if a byte has come. */
void client_look(struct client *);

/* ---- client_secure.c */

/* LOOKING, and a TLS handshake has begun that is to end here: sees to it. */
void client_secure(struct client *);

/* SECURING: the handshake came to nothing. Tells the handler, closes. */
void client_give_up_tls(struct client *, enum failure, const char *why);

/* ---- client_parse.c */
void client_call_new(struct client *);
void client_call_free(struct client *);

/* Parses until the request is complete, the exchange is full or the input is
 * used up; returns how much was used. Refuses what is malformed. */
size_t client_parse(struct client *, const char *data, size_t len);

/* ---- client_write.c */
extern const struct exchange_events client_answer_events;

/* The request under way is no good: its exchange is told, which answers; without
 * one the answer is written here. The connection ends with it. */
void client_refuse(struct client *, const struct verdict *);

/* Writes what was gathered, in one call. */
void client_flush(struct client *);

/* The bytes of an error that ends a connection. */
void client_write_error(struct text *, const struct request *, const struct verdict *);
