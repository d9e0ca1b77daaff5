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
    uint32_t trouble;   /* percent of requests that do not get a plain answer */
    uint32_t habits[3]; /* those troubles come again and again */
    size_t habit_count; /* 0: any trouble may come */
    bool is_fickle;     /* only what makes trunkline try again */
    uint32_t slow_us;   /* at most, until it answers */
    uint32_t idle_us;   /* it closes a connection that is idle for so long; 0: never */
    uint32_t streams;   /* SETTINGS_MAX_CONCURRENT_STREAMS */
    struct net_listener listener;
    struct origin_conn *conns; /* all that there were */
    unsigned opened;           /* connections accepted */
    unsigned requests;         /* read, in part or whole */
};

void origin_begin(struct origin *);

/* What is done to a request that is treated badly. What needs several bad tries in a row is found
 * sooner with an origin that does few things, and those often. */
struct deeds {
    uint32_t count;       /* deeds are numbers below it */
    const uint32_t *lost; /* those after which a request may be tried again */
    uint32_t lost_count;
};
uint32_t origin_draw_deed(const struct origin *, struct dice *, const struct deeds *);

/* A connection that a proxy leads to it; NULL: it refuses. The end is its own now. */
struct origin_conn *origin_take(struct origin *, struct end *);

/* What lies between breaks it. */
void origin_lose(struct origin_conn *, bool reset);

/* Its process dies: all connections are reset. */
void origin_crash(struct origin *);

/* The bytes that answer a try; they say which. */
void origin_body(unsigned number, size_t size, struct text *to);
