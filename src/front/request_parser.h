/* One HTTP/1.x request parsed from the bytes of a connection (RFC 9112), reported by events:
 * its head, the pieces of its body, its end, or why it is refused. Strict: llhttp without
 * lenient flags, and what it lets pass but HTTP/1.x does not allow is refused too.
 *
 * Owned by the call that feeds it, one per request; it owns the request and its arena.
 * Head (the start line and the fields are coming), body, held (the owner takes no more of
 * the body at present), complete, refused. */
#pragma once

#include "base/failure.h"
#include "base/state.h"
#include "http/message.h"

#define REQUEST_PARSER_STATES(S)                                                                   \
    S(REQUEST_HEAD, "head", TO(REQUEST_BODY) | TO(REQUEST_REFUSED))                                \
    S(REQUEST_BODY, "body", TO(REQUEST_HELD) | TO(REQUEST_COMPLETE) | TO(REQUEST_REFUSED))         \
    S(REQUEST_HELD, "held", TO(REQUEST_BODY) | TO(REQUEST_REFUSED))                                \
    S(REQUEST_COMPLETE, "complete", TO(REQUEST_REFUSED))                                           \
    S(REQUEST_REFUSED, "refused", 0)
STATE_TYPE(request_parser, REQUEST_PARSER_STATES)

struct request_parser;

struct request_limits {
    size_t max_header_size; /* bytes of the header section, and of the trailer section: 431 */
    size_t max_uri_size;    /* bytes of the target: 414 */
};

/* They come from request_parser_feed() alone. The parser must not be freed in them. */
struct request_parser_events {
    /* The head is complete, its framing facts are known. The request lives as long as the
     * parser. False: it is refused, as `why` then says. */
    bool (*on_head)(void *owner, const struct request *, struct verdict *why);
    /* A piece of its body, borrowed until return. False: no more until
     * request_parser_resume(). */
    bool (*on_body)(void *owner, const char *data, size_t len);
    /* It is complete. `trailers` may be empty, never NULL. */
    void (*on_end)(void *owner, const struct fields *trailers);
    /* It is malformed, too long, or was refused by on_head; no event comes after. */
    void (*on_refused)(void *owner, const struct verdict *why);
};

/* `object` (borrowed) names the connection in the log. The request gets its id from `ids`,
 * unless that is NULL. */
struct request_parser *request_parser_new(const char *object, const struct request_limits *,
                                          struct request_ids *ids,
                                          const struct request_parser_events *, void *owner);

/* How many of these bytes are empty lines, which a client may send before a request
 * (RFC 9112 2.2). */
size_t request_parser_skip(const char *data, size_t len);

/* Parses until the request is complete, held or refused, or the bytes are used up. Only
 * in the states head and body. Returns how many bytes it used: the rest belongs to what
 * follows. Of a refused request all are used. */
size_t request_parser_feed(struct request_parser *, const char *data, size_t len);

/* Ends the hold, if it is held. As its end may have been read already, it must be fed
 * once more, with nothing if nothing came. */
void request_parser_resume(struct request_parser *);

/* The owner refuses the request: it is not parsed any further, and no event comes after.
 * May be called from the events. */
void request_parser_stop(struct request_parser *);

enum request_parser_state request_parser_state(const struct request_parser *);

/* The request. Until its head is complete it has an id and an arena, and an empty method. */
const struct request *request_parser_request(const struct request_parser *);

/* The arena, with the request in it, is no longer the parser's. */
void request_parser_disown(struct request_parser *);

/* NULL is fine. */
void request_parser_free(struct request_parser *);
