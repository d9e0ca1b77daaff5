/* Host names and origins as written in the configuration (RFC 3986 3.2.2, RFC 6454). Pure, without
 * states; results are kept in the given arena. */
#pragma once

#include "base/arena.h"

struct host_origin {
    bool secure;
    const char *host; /* lower case, no trailing dot, IPv6 without brackets */
    uint16_t port;
};

/* A plain registered name or an IPv4 literal, in lower case and without its trailing dot;
 * NULL if the text is neither. */
const char *host_name_read(struct arena *, struct span text);

/* The same, or an IPv6 literal (without brackets, in canonical form). */
const char *host_read(struct arena *, struct span text);

/* "https://host[:port]" or "http://host[:port]", optionally followed by "/". False: `why` is
 * set to what is wrong, in words that do not repeat the text. */
bool host_origin_read(struct arena *, const char *url, struct host_origin *,
                      const char **why) MUST_CHECK;

/* A decimal port from 1 to 65535; 0 if the text is not a port. */
uint16_t host_port_read(struct span text);
