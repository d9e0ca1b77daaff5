/* Sends a number of requests for one URL, from several concurrent libcurl clients, and
 * measures how long each takes. A client sends its next request when it has read the response.
 * It opens a new connection for each request or uses a persistent one. */
#pragma once

#include "base/histogram.h"

struct load {
    const char *url;
    const char *connect_to; /* "HOST:PORT" to connect to instead of the host in the URL, or NULL */
    const char *ca_file;    /* trust anchors (PEM), or NULL: the system's */
    bool fresh;             /* a new connection (and TLS session) for each request */
    unsigned requests, clients;
};

struct load_result {
    struct histogram latency; /* of requests with response 200 */
    uint64_t wall_us, client_cpu_us;
    unsigned errors, connections; /* failed requests; connections opened */
    char error[160];              /* of the first failed request */
};

void load_run(const struct load *, struct load_result *);
void load_result_clear(struct load_result *);
