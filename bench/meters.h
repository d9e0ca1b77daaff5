/* What is read off before and after a load: TLS handshakes counted at the origin
 * (a file the demo exchange keeps) and by trunkline (/stats), and the processor
 * time trunkline's process has used (/proc). Each may be unknown. */
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

/* False, with words in `error`, if trunkline's /stats cannot be had. `first`: the
 * processor time is read last, so that the reading itself is not counted; else
 * first. It is known only where trunkline runs on this machine. */
bool meters_read(const struct meters *, bool first, struct reading *, char *error,
                 size_t size) MUST_CHECK;
