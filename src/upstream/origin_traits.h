/* What the next line of an upstream will carry, as far as its earlier ones tell:
 * one exchange at a time, or many (ALPN decides, RFC 7301). Embedded in `lines`.
 * Unknown, one or many. While it is unknown a burst dials one line first, for it
 * may carry all; but not for long, and not after a failure. Orders do not wait for
 * that: each dials for itself. */
#pragma once

#include "config/config.h"
#include "protocol/conn.h"

struct origin_traits {
    enum { PROSPECT_UNKNOWN, PROSPECT_ONE, PROSPECT_MANY } kind;
    size_t allowed;       /* by the origin, on its latest line; or CONN_UNSAID */
    uint64_t http1_until; /* loop time, ms: it wants HTTP/1.1, whatever it could; 0: no */
    uint64_t hold_until;  /* loop time, ms; 0: nothing was dialled yet */
};

void origin_traits_init(struct origin_traits *, const struct upstream_config *);

/* A line came up, or told what it allows. */
void origin_traits_learn(struct origin_traits *, bool shares, size_t allowed);

/* It has said HTTP_1_1_REQUIRED (RFC 9113 7): so it is asked for an hour. False: known. */
bool origin_traits_wants_http1(struct origin_traits *, uint64_t now_ms) MUST_CHECK;

/* What the next line is to offer. */
enum config_http2 origin_traits_offer(struct origin_traits *, const struct upstream_config *,
                                      uint64_t now_ms);

/* A dial came to nothing: whoever waits is not held back any longer. */
void origin_traits_failed(struct origin_traits *, uint64_t now_ms);

/* Exchanges that a new line will carry at once, at least 1. */
size_t origin_traits_streams(const struct origin_traits *, const struct upstream_config *);

/* Lines that so many waiters need, of whom `loners` want one each. */
size_t origin_traits_lines(const struct origin_traits *, const struct upstream_config *,
                           size_t waiters, size_t loners);

/* A line is dialled: the first one may turn out to carry all who wait. */
void origin_traits_dialled(struct origin_traits *, uint64_t now_ms);

/* The time until which those wait for what the first line turns out to be who are
 * neither orders nor the first of the others; 0: they do not. */
uint64_t origin_traits_holds(const struct origin_traits *);
