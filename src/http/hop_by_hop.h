/* Which fields concern one connection only and are not forwarded (RFC 9110 7.6.1): Connection
 * and what it lists, Proxy-* except Proxy-Status (RFC 9209 2), Keep-Alive, TE,
 * Transfer-Encoding, Upgrade, HTTP2-Settings, and Content-Length (the writer adds its own).
 * A plain value, made in one pass over a head or trailers, from which it borrows; so a
 * look-up is cheap however many options Connection has. */
#pragma once

#include "http/message.h"

/* The most options of Connection, with empty elements; more make the message invalid. */
#define CONNECTION_OPTIONS_MAX 100

struct hop_by_hop {
    struct span options[CONNECTION_OPTIONS_MAX];
    uint32_t hashes[CONNECTION_OPTIONS_MAX]; /* of each, so that few are compared */
    size_t count;
    uint8_t
        places[256]; /* by hash: an option's index plus one; 0: free. Not set while `count` is 0 */
    bool too_many;   /* options; then every field counts as listed */
};

/* Reads the Connection fields of `all`. */
void hop_by_hop_read(struct hop_by_hop *, const struct fields *all);

/* Whether this field of the same message is not to be forwarded. */
bool hop_by_hop_is(const struct hop_by_hop *, const struct field *);
