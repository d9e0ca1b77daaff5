/* Origins and authorities as text: a Host field, a configured URL, the origin of a
 * Location. Pure functions; their results live in the given arena, or borrow from the text. */
#pragma once

#include "base/arena.h"
#include "base/span.h"

/* An origin (RFC 6454); its host is in lower case, without a trailing dot. */
struct origin {
    bool secure; /* https */
    bool is_ip;  /* the host is an IP literal (IPv6 without brackets) */
    struct span host;
    uint16_t port;
};

/* Parses the "host[:port]" of a Host field; port 0 if there is none. False if the host is
 * neither a registered name of plain characters nor an IP literal, or has userinfo. */
bool authority_parse(struct arena *, struct span text, struct span *host, uint16_t *port,
                     bool *is_ip) MUST_CHECK;

/* Parses a URL of the configuration or a Location, "https://host[:port]...": scheme http or
 * https, no userinfo; the scheme's default port if there is none. `rest`: path, query and
 * fragment as they are written; may be empty. */
bool origin_parse(struct arena *, struct span url, struct origin *, struct span *rest) MUST_CHECK;

/* "host", "host:8443", "[::1]:8443": the origin's Host field, which omits a default port;
 * with `full`, always with the port. */
struct span origin_authority(struct arena *, const struct origin *, bool full);

/* Whether both are the same origin. */
bool origin_is(const struct origin *, const struct origin *);
