/* Values read before and after a load: TLS handshakes as counted by the origin (a file
 * written by the demo exchange) and by trunkline (/stats), and the processor time of
 * trunkline's process (/proc). Each may be unknown. */
#pragma once

#include "base/check.h"

struct meters {
    const char *counts; /* file of lines "NAME HANDSHAKES REQUESTS", or NULL */
    const char *proxy;  /* trunkline, "http://HOST:PORT" */
};

struct reading {
    bool has_origin, has_cpu;
    uint64_t origin_handshakes, proxy_handshakes, cpu_ns;
};

/* False, with a message in `error`, if trunkline's /stats cannot be read. With `first`, the
 * processor time is read last, otherwise first, so that the reading itself is not counted. It
 * is known only if trunkline runs on this machine. */
bool meters_read(const struct meters *, bool first, struct reading *, char *error,
                 size_t size) MUST_CHECK;
