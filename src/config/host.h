/* Host names and origins as the configuration writes them (RFC 3986 3.2.2,
 * RFC 6454). Pure; what is handed out lives in the given arena. */
#pragma once

#include "base/arena.h"

struct host_origin {
    bool secure;
    const char *host; /* lower case, no trailing dot, IPv6 without brackets */
    uint16_t port;
};

/* A plain registered name or an IPv4 literal, lower-cased and without its one
 * trailing dot; NULL if it is neither. */
const char *host_name_read(struct arena *, struct span text);

/* Likewise, or an IPv6 literal (without brackets, in canonical form). */
const char *host_read(struct arena *, struct span text);

/* "https://host[:port]" or "http://…"; a path of "/" is fine. False: `why` has
 * what is wrong, in words that do not repeat the text. */
bool host_origin_read(struct arena *, const char *url, struct host_origin *,
                      const char **why) MUST_CHECK;

/* A decimal port, 1 to 65535; 0 if it is none. */
uint16_t host_port_read(struct span text);
