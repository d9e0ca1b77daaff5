/* What the next line of an upstream will carry, as far as its earlier lines tell: one exchange
 * at a time, or many (ALPN decides, RFC 7301). Embedded in `lines`. It is unknown, one or many.
 * While it is unknown, a burst of requests dials one line first, since that may carry all of
 * them; but it waits half a second at most, and not after a failure. Orders do not wait for
 * that: each dials for itself. */
#pragma once

#include "config/config.h"
#include "protocol/conn.h"

struct origin_traits {
    enum { PROSPECT_UNKNOWN, PROSPECT_ONE, PROSPECT_MANY } kind;
    size_t allowed;       /* streams that the origin allowed on its latest line; or CONN_UNSAID */
    uint64_t http1_until; /* loop time, ms: until then it wants HTTP/1.1; 0: it does not */
    uint64_t hold_until;  /* of a burst; loop time, ms; 0: nothing was dialled yet */
};

void origin_traits_init(struct origin_traits *, const struct upstream_config *);

/* A line came up (it shares: HTTP/2), or told how many streams it allows. */
void origin_traits_learn(struct origin_traits *, bool shares, size_t allowed);

/* The origin said HTTP_1_1_REQUIRED (RFC 9113 7): for an hour it is offered nothing else. False:
 * that was known already. */
bool origin_traits_wants_http1(struct origin_traits *, uint64_t now_ms) MUST_CHECK;

/* What the next line is to offer in ALPN. */
enum config_http2 origin_traits_offer(struct origin_traits *, const struct upstream_config *,
                                      uint64_t now_ms);

/* A dial failed: the rest of a burst is not held back any longer. */
void origin_traits_failed(struct origin_traits *, uint64_t now_ms);

/* How many exchanges a new line will carry at once; at least 1. */
size_t origin_traits_streams(const struct origin_traits *, const struct upstream_config *);

/* How many lines these waiters need, of which `loners` want one each. */
size_t origin_traits_lines(const struct origin_traits *, const struct upstream_config *,
                           size_t waiters, size_t loners);

/* A line is dialled. The first one may turn out to carry a whole burst. */
void origin_traits_dialled(struct origin_traits *, uint64_t now_ms);

/* Until when a burst waits for what the first line turns out to be (loop time, ms), but for
 * orders and the first of the other requests; 0: it does not wait. */
uint64_t origin_traits_holds(const struct origin_traits *);
