/* The ways in which a request names its upstream (SPEC 3): parses a request
 * target. Pure; what it hands out lives in the given arena. */
#pragma once

#include "base/failure.h"
#include "http/message.h"
#include "http/origin.h"

enum target_form {
    TARGET_ORIGIN, /* "/path": routed by Host, name, or one of our own pages */
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
    bool written_http;    /* the scheme was http or ws: "http:// upstreams stay plain" */
    bool websocket;       /* ws or wss */
    struct span path;     /* path and query for the origin, never empty ("/"), never decoded
                             but once for the encoded forms */
    struct span spelling; /* prefix forms: "/https://", "/https:/" or "/https/", for Location */
};

/* False: `why` has the error (400, 414 is the caller's). http and ws with no
 * port, 80 or 443 become https on 443; any other port is kept. */
bool target_parse(struct arena *, struct span method, struct span target, struct target *,
                  struct verdict *why) MUST_CHECK;

/* No control, space, "#" or byte beyond ASCII: what every request target must be
 * (llhttp lets some pass). */
bool target_is_clean(struct span) MUST_CHECK;
