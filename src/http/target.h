/* Parses a request target: the ways in which a request names its upstream (contract 3).
 * Pure functions; their results live in the given arena, or borrow from the target. */
#pragma once

#include "base/failure.h"
#include "http/message.h"
#include "http/origin.h"

enum target_form {
    TARGET_ORIGIN, /* "/path": routed by Host or name, or a page of the proxy's own */
    TARGET_ABSOLUTE_HTTP,
    TARGET_ABSOLUTE_HTTPS,
    TARGET_PREFIX,    /* /https://host/…, /https/host/…, /https:/host/…, /wss://… */
    TARGET_ENCODED,   /* /https%3A%2F%2F… */
    TARGET_PARAMETER, /* /?url=… */
    TARGET_AUTHORITY, /* CONNECT */
    TARGET_ASTERISK   /* OPTIONS * */
};

struct target {
    enum target_form form;
    struct origin origin; /* absolute, prefix, encoded, parameter, authority forms */
    bool written_http;    /* the scheme was http or ws, though `origin` may be secure */
    bool websocket;       /* the scheme was ws or wss */
    struct span path;     /* path and query for the origin, never empty ("/"); decoded once for
                             the encoded forms, else not at all */
    struct span spelling; /* prefix forms: "/https://", "/https:/" or "/https/", to be used
                             in a rewritten Location */
};

/* False: `why` has the error (always 400; the caller checks for 414). http and ws without a
 * port, or with port 80 or 443, become https on port 443; any other port is kept. */
bool target_parse(struct arena *, struct span method, struct span target, struct target *,
                  struct verdict *why) MUST_CHECK;

/* Whether it has no control character, space, "#" or non-ASCII byte, some of which llhttp
 * accepts in a request target. */
bool target_is_clean(struct span) MUST_CHECK;
