/* The one deadline of a client connection: how long it waits for what the client must do next,
 * be it to send or to read.
 * Embedded in the connection, which sets what is waited for and gets an event if that does not
 * happen in time. Its state is what is waited for. */
#pragma once

#include "front/client_limits.h"
#include "net/loop.h"
#include "net/stream.h"

enum client_wait {
    WAIT_NONE,
    WAIT_IDLE,   /* for a request: client_idle_timeout */
    WAIT_HEAD,   /* for the rest of its head: client_header_timeout */
    WAIT_BODY,   /* for more of its body: client_body_timeout since the last input */
    WAIT_QUEUE,  /* for a complete response to be taken: client_body_timeout without progress */
    WAIT_READER, /* for the response under way to be taken: so long as on_patience says */
    WAIT_TURN,   /* for the next turn of the loop */
    WAIT_PEER    /* for the client to disconnect, which is not heard while its stream is paused */
};

struct client_timer_events {
    /* It did not happen in time; of WAIT_TURN and WAIT_PEER: it happened. Nothing is waited for
     * any more. */
    void (*on_expired)(void *owner, enum client_wait);
    /* There was progress: set anew what is waited for. */
    void (*on_checked)(void *owner);
    /* How long (ms) may the client take nothing of its response? client_body_timeout is
     * the most. */
    uint64_t (*on_patience)(void *owner);
};

struct client_timer {
    enum client_wait wait;
    struct deadline deadline;
    struct stream *stream;
    const struct client_limits *limits;
    uint64_t last_input; /* loop time, ms */
    uint64_t taken;      /* of the stream, when last looked at */
    uint64_t taken_at;   /* WAIT_READER: when it was seen to have grown (loop time, ms) */
    const struct client_timer_events *events;
    void *owner;
};

/* `limits` is borrowed for its life, and may change. */
void client_timer_init(struct client_timer *, struct loop *, const struct client_limits *,
                       const struct client_timer_events *, void *owner);

/* This is waited for, on this stream (borrowed as long as it is waited for). Only a change
 * moves the deadline, so that input that trickles in does not. */
void client_timer_wait(struct client_timer *, struct stream *, enum client_wait);

/* Bytes came. */
void client_timer_note_input(struct client_timer *);

/* Nothing is waited for. */
void client_timer_stop(struct client_timer *);
