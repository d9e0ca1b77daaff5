/* Origins and authorities as text: a Host field, a configured url, the origin of
 * a Location. Pure; what it hands out lives in the given arena. */
#pragma once

#include "base/arena.h"
#include "base/span.h"

/* An origin as RFC 6454 has it, host lower-cased without trailing dot. */
struct origin {
    bool secure; /* https */
    bool is_ip;  /* the host is an IP literal (IPv6 without brackets) */
    struct span host;
    uint16_t port;
};

/* "host[:port]" of a Host field; port 0 if none. False if it is neither a
 * registered name of plain characters nor an IP literal, or has userinfo. */
bool authority_parse(struct arena *, struct span text, struct span *host, uint16_t *port,
                     bool *is_ip) MUST_CHECK;

/* "https://host[:port]" of the configuration or a Location: scheme http(s) only;
 * default ports by scheme; no userinfo. `rest`: path, query, fragment as they
 * stand (may be empty). */
bool origin_parse(struct arena *, struct span url, struct origin *, struct span *rest) MUST_CHECK;

/* "host", "host:8443", "[::1]:8443": as the Host field for that origin has it
 * (no default port); with `full` the port always. */
struct span origin_authority(struct arena *, const struct origin *, bool full);
bool origin_is(const struct origin *, const struct origin *);
