/* The body of one request on its way to a line: gathered up to 64 KiB, or to its end,
 * before anything is waited for; kept while it is short enough to be sent again; then
 * passed on as it comes. A value, embedded in its fetch; upload_free() gives back what it
 * keeps. */
#pragma once

#include "base/text.h"
#include "http/exchange.h"

#define UPLOAD_KEPT_MAX (64 * 1024) /* what is longer is not sent again (SPEC 9) */

struct upload {
    struct text kept; /* so far, as long as it may be sent again */
    uint64_t length;  /* as promised; UINT64_MAX: unknown */
    bool replayable;
    bool complete; /* `trailers` too */
    bool blocked;  /* its asker is to wait for on_drain */
    struct fields trailers;
};

void upload_init(struct upload *, enum framing, uint64_t length);
void upload_free(struct upload *);

/* A piece, while there is no line (borrowed). False: enough is gathered. */
bool upload_gather(struct upload *, const char *data, size_t len) MUST_CHECK;
bool upload_is_gathered(const struct upload *); /* so much that it must go on */

/* A piece for the exchange on a line. False: hold the rest until on_drain. */
bool upload_pass(struct upload *, struct exchange *, const char *data, size_t len) MUST_CHECK;

/* What was gathered goes to a new exchange. True: the asker, which was held back, may go
 * on. What ends the request is for the caller to say. */
bool upload_begin(struct upload *, struct exchange *) MUST_CHECK;
