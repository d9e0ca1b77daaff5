/* What the configuration allows a client connection.
 * A plain value, owned by `clients` and read at each use, so that a reload takes
 * effect at once. Stateless. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct client_limits {
    unsigned max_clients;
    uint64_t header_timeout_ms, idle_timeout_ms, body_timeout_ms;
    size_t max_header_size, max_uri_size; /* bytes */
};
