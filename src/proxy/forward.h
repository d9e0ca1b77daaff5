/* An exchange of the proxy's with an origin: a fetch, or the reading of what one
 * brings or brought. It can be asked one thing beyond the common interface: how
 * much of the request can have reached the origin by now. */
#pragma once

#include "http/exchange.h"

struct forward {
    struct exchange base;
    enum sent (*sent)(const struct forward *);
};

static inline enum sent forward_sent(const struct exchange *x)
{
    const struct forward *f = container_of(x, const struct forward, base);
    return f->sent(f);
}
