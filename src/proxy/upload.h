/* The body of one request on its way to a connection: gathered up to 64 KiB, or up to its
 * end, before anything is waited for; kept as long as it is short enough to be sent again;
 * from then on passed on as it comes. A value embedded in its fetch, without states
 * beyond its flags; upload_free() frees what it keeps. */
#pragma once

#include "base/text.h"
#include "http/exchange.h"

#define UPLOAD_KEPT_MAX (64 * 1024) /* a longer body is not sent again (contract 9) */

struct upload {
    struct text kept; /* the body so far, as long as it may be sent again */
    uint64_t length;  /* as the request's framing says; UINT64_MAX: unknown */
    bool replayable;  /* all of the body so far is kept */
    bool complete;    /* the body has come whole, and `trailers` with it */
    struct fields trailers;
};

/* `length` counts if the framing is FRAMING_LENGTH. */
void upload_init(struct upload *, enum framing, uint64_t length);
void upload_free(struct upload *);

/* A piece (borrowed) while there is no connection. False: enough has been gathered. */
bool upload_gather(struct upload *, const char *data, size_t len) MUST_CHECK;

/* Has so much been gathered that the request must go on without the rest? */
bool upload_is_gathered(const struct upload *);

/* A piece (borrowed) for the exchange on a connection. False: hold the rest until
 * on_drain. */
bool upload_pass(struct upload *, struct exchange *, const char *data, size_t len) MUST_CHECK;

/* Sends what was gathered on a new exchange. True: the client's side was told to wait when
 * it was gathered, and may send on. The caller finishes the request if it is complete. */
bool upload_begin(struct upload *, struct exchange *) MUST_CHECK;
