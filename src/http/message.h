/* Requests and responses as heads: a start line and fields, as received, plus
 * the framing facts taken from them. They live in their request's arena and are
 * read-only once complete; bodies never pass through here. */
#pragma once

#include "base/arena.h"
#include "base/request_id.h"
#include "base/span.h"

struct field {
    struct span name, value; /* value: trimmed */
};

struct fields {
    struct field *at;
    size_t count;
    size_t room; /* what fields_add() made; 0: `at` is borrowed, adding copies it first */
};

enum framing {
    FRAMING_NONE,    /* no body */
    FRAMING_LENGTH,  /* `length` bytes */
    FRAMING_CHUNKED, /* RFC 9112 7.1 */
    FRAMING_CLOSE    /* responses: to the connection's end */
};

struct request {
    struct arena *arena;
    struct request_id id;
    struct span method;
    struct span target;   /* as received */
    unsigned minor;       /* HTTP/1.minor */
    struct fields fields; /* all of them, in order, as received */
    /* Set by framing_of_request(): */
    enum framing framing;
    uint64_t length; /* with FRAMING_LENGTH */
    bool is_head;    /* HEAD: the answer has no body */
    bool is_safe;    /* GET, HEAD, OPTIONS, TRACE (RFC 9110 9.2.1) */
    bool is_order;   /* POST, PUT, PATCH, DELETE: what must never be sent twice */
    bool expects_continue;
    bool keeps_alive; /* RFC 9112 9.3 */
    bool upgrades;    /* asks for websocket */
};

struct response {
    unsigned status;
    struct span reason;
    unsigned minor;
    struct fields fields; /* all, as received; a relayed one has only end-to-end fields */
    /* Set by framing_of_response(): */
    enum framing framing;
    bool has_length; /* `length` is to be told, though there may be no body (HEAD, 304) */
    uint64_t length;
    bool keeps_alive;
};

/* The first field of that name, or NULL; and how many there are. */
const struct field *fields_find(const struct fields *, struct span name);
size_t fields_count(const struct fields *, struct span name);

/* Does any field of that name list this token (RFC 9110 5.6.1), in any case? */
bool fields_list(const struct fields *, struct span name, struct span token);

/* Adds one (room is made in the arena, doubling). The spans are borrowed for
 * the arena's life. */
void fields_add(struct fields *, struct arena *, struct span name, struct span value);

/* A copy that lives as long as `arena`, texts included. */
struct fields fields_copy(struct arena *, const struct fields *);
