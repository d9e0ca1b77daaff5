/* A response that more than one request may get: head and body as the origin sent them,
 * and when it came. Owned by counted references: the store, the shared fetch that brings
 * it and every reader hold one as long as they need it. It grows until it is `whole`, and
 * never changes after that. */
#pragma once

#include "base/text.h"
#include "cache/cache_policy.h"

struct stored_response {
    unsigned references;
    struct arena *arena;  /* of head and varied; this struct is in it too */
    struct response head; /* end-to-end fields, but for Age and Set-Cookie; framing as it came */
    struct fields varied; /* what it varies by, with this request's values */
    struct fields trailers;
    struct text body; /* as far as it has come, without its first `dropped` bytes */
    size_t dropped;
    bool whole;
    uint64_t came_at;       /* loop_age_clock(), of its head */
    uint64_t origin_age_ms; /* the origin's own Age */
    uint64_t delay_ms;      /* from request to head: it may be older by this */
};

/* Makes one from a head that came just now, `delay_ms` after it was asked for by a
 * request with the fields `asked`. Both are copied; one reference is the caller's. */
struct stored_response *stored_response_new(const struct response *, const struct fields *asked,
                                            uint64_t now, uint64_t delay_ms);
struct stored_response *stored_response_ref(struct stored_response *);
void stored_response_unref(struct stored_response *); /* NULL is fine */

/* Does it answer a request with the fields `asked`: are Accept-Encoding and what Vary
 * names the same (RFC 9111 4.1)? */
bool stored_response_fits(const struct stored_response *, const struct fields *asked);

/* Its age in ms at `now` (loop_age_clock()): as freshness counts it, from the head on;
 * and as Age tells it, with the response delay (RFC 9111 4.2.3). */
uint64_t stored_response_age_ms(const struct stored_response *, uint64_t now);
uint64_t stored_response_told_age_ms(const struct stored_response *, uint64_t now);

/* How many bytes of its body have come so far; what of them begins at byte `at`, borrowed
 * until the body changes; and is the length of all of it known by now? */
size_t stored_response_length(const struct stored_response *);
struct span stored_response_rest(const struct stored_response *, size_t at);
bool stored_response_has_length(const struct stored_response *);

/* Drops the body's bytes before `at`: every reader has read them, and none begins any
 * more. */
void stored_response_drop(struct stored_response *, size_t at);

/* `len` bytes of the body came and were passed on without being kept. All before them
 * must have been dropped. */
void stored_response_skip(struct stored_response *, size_t len);

/* The bytes it takes in memory. */
size_t stored_response_size(const struct stored_response *);

/* The head for a client that reads it from here: with a length if that is known by now,
 * without a body for HEAD, and 304 if the client has this very response already (RFC 9110
 * 13.1.2, 13.1.3). `wall_s` is the wall clock, by which dates with two digits of the year are
 * read. Borrowed from the stored response and from the arena. */
struct response stored_response_head(const struct stored_response *, const struct cache_policy *,
                                     int64_t wall_s, struct arena *);
