/* An origin of the simulated exchange: it listens at an address, speaks HTTP/1.1 or HTTP/2, in the
 * clear or over the simulated TLS, and treats each request as its dice say. Its connections are its
 * own. It lives as long as the process. */
#pragma once

#include "base/text.h"
#include "tests/sim/net.h"

struct origin {
    const char *name;
    uint32_t address;
    uint16_t port;
    bool is_tls, is_h2;
    uint32_t trouble; /* percent of requests that do not get a plain answer */
    uint32_t slow_us; /* at most, until it answers */
    uint32_t idle_us; /* it closes a connection that is idle for so long; 0: never */
    uint32_t streams; /* SETTINGS_MAX_CONCURRENT_STREAMS */
    struct net_listener listener;
    struct origin_conn *conns; /* all that there were */
    unsigned opened;           /* connections accepted */
    unsigned requests;         /* read, in part or whole */
};

void origin_begin(struct origin *);

/* Its process dies: all connections are reset. */
void origin_crash(struct origin *);

/* The bytes that answer a try; they say which. */
void origin_body(unsigned number, size_t size, struct text *to);
