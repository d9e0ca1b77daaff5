/* One try of a request on one connection: sends it, and passes the response on to the
 * request's owner as it comes. Embedded in its fetch, which decides when there is a try,
 * on which line, and whether there is another; one after the other use the same struct.
 * States: idle (no try is under way), sending (the body is not complete yet), awaiting
 * (the head of the response), receiving (its body), ended (there is no further try). */
#pragma once

#include "base/state.h"
#include "cache/origin_fetch.h"
#include "cache/peek.h"
#include "proxy/clocks.h"
#include "proxy/delivery.h"
#include "proxy/limit.h"
#include "proxy/upload.h"
#include "upstream/line.h"

#define ATTEMPT_STATES(S)                                                                          \
    S(ATTEMPT_IDLE, "idle", TO(ATTEMPT_SENDING) | TO(ATTEMPT_ENDED))                               \
    S(ATTEMPT_SENDING, "sending",                                                                  \
      TO(ATTEMPT_AWAITING) | TO(ATTEMPT_RECEIVING) | TO(ATTEMPT_IDLE) | TO(ATTEMPT_ENDED))         \
    S(ATTEMPT_AWAITING, "awaiting", TO(ATTEMPT_RECEIVING) | TO(ATTEMPT_IDLE) | TO(ATTEMPT_ENDED))  \
    S(ATTEMPT_RECEIVING, "receiving", TO(ATTEMPT_ENDED))                                           \
    S(ATTEMPT_ENDED, "ended", 0)
STATE_TYPE(attempt, ATTEMPT_STATES)

struct attempt_events {
    /* The head of a response, before it is passed on. False: the owner has given the
     * try up (attempt_give_up()), and the response is dropped. */
    bool (*on_answer)(void *owner, const struct response *);
    /* Instead of on_end: the response is this 101, and the connection's stream is the
     * owner's to take (line_surrender()). */
    void (*on_upgraded)(void *owner, const struct response *);
    /* The response is complete, and all of it but its end has been passed on. */
    void (*on_end)(void *owner, const struct fields *trailers);
    /* The connection failed before a head came, and the attempt is idle again. This
     * alone may lead to another try. */
    void (*on_lost)(void *owner, const struct verdict *);
    /* It failed for good: the connection did after the head, its time is up (`late`), or
     * too much came of a response that nobody reads. The owner ends it. */
    void (*on_failed)(void *owner, const struct verdict *, bool late);
};

struct attempt {
    /* The owner sets these before attempt_init(); all of it lives as long. */
    const struct attempt_events *events;
    void *owner;
    const struct fetch_order *order;
    const struct exchange *fetch; /* whose events the response is passed on to */
    struct clocks *clocks;        /* what outlasts a try */
    struct upload *upload;
    struct delivery *delivery;
    /* ---- */
    unsigned magic;
    enum attempt_state state;
    struct exchange *exchange; /* on its line; NULL: none, or it has ended */
    struct line_facts line;    /* of this try */
    bool shares;               /* it carries others at the same time */
    size_t unread_room;        /* bytes of the response that are taken yet; all while it is read */
    struct peek peek;
    struct limit limit;
    struct deadline deadline;
    struct link due; /* among what the loop expects, while it has a line */
};

/* Once the owner has set its part. It is idle; attempt_free() must follow in the end. */
void attempt_init(struct attempt *);

/* Begins a try on a line that was just lent; `paused_us` of the wait for it fell into a
 * pause of the pool. What the upload has so far is sent at once. */
void attempt_begin(struct attempt *, struct line *, uint64_t paused_us);

/* Is there an exchange on a line? */
bool attempt_is_open(const struct attempt *);

/* The request's body, while it is open: a piece (borrowed; false: hold the rest until
 * on_drain), and its end, where upload has the trailers. */
bool attempt_body(struct attempt *, const char *data, size_t len) MUST_CHECK;
void attempt_finish(struct attempt *);

/* The response's reader is full, and takes more again; also between two tries. */
void attempt_pause(struct attempt *);
void attempt_resume(struct attempt *);

/* Has a byte of the present try left for the origin, so that it cannot be taken back? */
bool attempt_has_left(const struct attempt *);

/* Has the present try been sent whole? Then its outcome can be followed. */
bool attempt_is_sent(const struct attempt *);

/* The request's client has disconnected; the events of `fetch` have changed. The rest of the
 * response is read within limits (see fetch_follow()). */
void attempt_follow(struct attempt *);

/* The events of `fetch` have changed. */
void attempt_redirect(struct attempt *);

/* How far the present try has come; between two tries nothing is changed. */
void attempt_progress(const struct attempt *, struct progress *);

/* What of the request can have reached the origin by now, by all tries. */
enum sent attempt_sent(const struct attempt *);

/* Writes to the log at debug how the present try, which has this number, was lost. */
void attempt_log_lost(const struct attempt *, unsigned number, const struct verdict *, bool again);

/* The owner has changed the clocks: its deadline may come sooner. */
void attempt_watch(struct attempt *);

/* Takes the try back, as far as that is possible; another may follow. */
void attempt_give_up(struct attempt *);

/* Takes back what is under way, for good; no event comes after. `late`: because its time
 * is up. It may be called in an event; attempt_free() must be called later than that. */
void attempt_end(struct attempt *, bool late);
void attempt_free(struct attempt *);
