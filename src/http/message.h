/* The heads of requests and responses: a start line and fields, as received, and what
 * they say of the framing. They live in their request's arena, and are read-only once
 * they are complete. Bodies are not part of them. */
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
    size_t room; /* allocated by fields_add(); 0: `at` is borrowed, and copied before an addition */
};

enum framing {
    FRAMING_NONE,    /* no body */
    FRAMING_LENGTH,  /* `length` bytes */
    FRAMING_CHUNKED, /* RFC 9112 7.1 */
    FRAMING_CLOSE    /* responses only: until the connection is closed */
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
    bool is_head;    /* HEAD: the response has no body */
    bool is_safe;    /* GET, HEAD, OPTIONS, TRACE (RFC 9110 9.2.1) */
    bool is_order;   /* POST, PUT, PATCH, DELETE: must never be sent twice */
    bool expects_continue;
    bool keeps_alive; /* RFC 9112 9.3 */
    bool upgrades;    /* it asks for WebSocket */
};

struct response {
    unsigned status;
    struct span reason;
    unsigned minor;
    struct fields fields; /* all, as received; in a rewritten one, end-to-end fields only */
    /* Set by framing_of_response(): */
    enum framing framing;
    bool has_length; /* Content-Length is to be sent, even if there is no body (HEAD, 304) */
    uint64_t length;
    bool keeps_alive;
    /* Set by what passes it on: */
    bool whole; /* all of its body and its end follow at once */
    bool waits; /* its end may come late: until then its last byte must not be sent */
};

/* The first field of that name, or NULL; and how many there are. */
const struct field *fields_find(const struct fields *, struct span name);
size_t fields_count(const struct fields *, struct span name);

/* Whether a field of that name lists this token (RFC 9110 5.6.1); case is ignored. */
bool fields_list(const struct fields *, struct span name, struct span token);

/* Room for at least one more. */
void fields_make_room(struct fields *, struct arena *);

/* Adds one, in amortised constant time. The spans must live as long as the arena. */
static inline void fields_add(struct fields *fields, struct arena *arena, struct span name,
                              struct span value)
{
    if (fields->count >= fields->room)
        fields_make_room(fields, arena);
    fields->at[fields->count++] = (struct field){name, value};
}

/* A copy that lives as long as `arena`, texts included. */
struct fields fields_copy(struct arena *, const struct fields *);
