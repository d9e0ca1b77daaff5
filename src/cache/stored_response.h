/* An answer that more than one request may get: its head and its body, as the
 * origin gave them, and when. It grows while it comes in, then it is whole and
 * never changes. Reference-counted: the store, its flight and every reader hold
 * it as long as they need it. */
#pragma once

#include "base/text.h"
#include "cache/cache_policy.h"

struct stored_response {
    unsigned references;
    struct arena *arena;  /* of head and varied; this struct is in it too */
    struct response head; /* end-to-end fields, but for Age and Set-Cookie; framing as it came */
    struct fields varied; /* what it varies by, with this request's values */
    struct fields trailers;
    struct text body;
    bool whole;
    uint64_t came_at;       /* loop_age_clock(), of its head */
    uint64_t origin_age_ms; /* the origin's own Age */
    uint64_t delay_ms;      /* from request to head: it may be older by this */
};

/* From a head that came just now, `delay_ms` after it was asked for, to a request
 * with those fields. Copied; one reference is the caller's. */
struct stored_response *stored_response_new(const struct response *, const struct fields *asked,
                                            uint64_t now, uint64_t delay_ms);
struct stored_response *stored_response_ref(struct stored_response *);
void stored_response_unref(struct stored_response *); /* NULL is fine */

/* Was it the same request, as far as the answer depends on it: Accept-Encoding
 * and what Vary names (RFC 9111 4.1)? */
bool stored_response_fits(const struct stored_response *, const struct fields *asked);

/* How old it is now, as its freshness counts (from its head on) and as Age tells
 * (RFC 9111 4.2.3, response delay included), in ms. */
uint64_t stored_response_age_ms(const struct stored_response *, uint64_t now);
uint64_t stored_response_told_age_ms(const struct stored_response *, uint64_t now);

/* The bytes it takes in memory. */
size_t stored_response_size(const struct stored_response *);

/* The head that a request gets of it when it is read from here: with a length if that
 * is known by now, for HEAD without a body, and 304 for a client that has this very
 * answer (RFC 9110 13.1.2, 13.1.3). Borrowed from it and from the arena. */
struct response stored_response_head(const struct stored_response *, const struct cache_policy *,
                                     struct arena *);
