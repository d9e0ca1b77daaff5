/* The record of a request that became a tunnel, kept until the tunnel ends: only then are
 * its bytes and its duration known. Owned by the tunnel; everything in it is a copy, since
 * the request is gone by then. It waits until it is told, which frees it. */
#pragma once

#include "proxy/record.h"

struct tunnel_record;

/* `record` is copied; `began_us` is when the request came (loop_clock_us()). The listener
 * gets it only if the tunnel lasted `least_us` or more. */
struct tunnel_record *tunnel_record_new(const struct record *record, uint64_t began_us,
                                        record_listener *listener, uint64_t least_us,
                                        void *context);

/* The id of the request. */
const struct request_id *tunnel_record_id(const struct tunnel_record *);

/* The tunnel ends now, after `bytes` to its client: tells the listener. The pointer is dead. */
void tunnel_record_tell(struct tunnel_record *, uint64_t bytes, uint64_t now_us);
