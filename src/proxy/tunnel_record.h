/* The record of a request that became a tunnel, kept for the tunnel's end: only then
 * are its bytes and its time known. Owned by the tunnel; a copy of everything, as the
 * request is gone by then. Waiting, until it is told and freed. */
#pragma once

#include "proxy/record.h"

struct tunnel_record;

/* `record` is copied; `began_us` is when the request came (loop_clock_us()). One that lasted
 * less than `least_us` is not told. */
struct tunnel_record *tunnel_record_new(const struct record *record, uint64_t began_us,
                                        record_listener *listener, uint64_t least_us,
                                        void *context);

/* The tunnel ends now; so many bytes went to its client. The pointer is dead. */
void tunnel_record_tell(struct tunnel_record *, uint64_t bytes, uint64_t now_us);
