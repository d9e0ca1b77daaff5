/* Where a client's request is looked at first: who may ask, which page or
 * upstream is meant; then it is handed on. Owned by main. */
#pragma once

#include "front/admin.h"
#include "front/client.h"
#include "net/leaves.h"
#include "proxy/proxy.h"

struct desk {
    struct proxy *proxy;
    struct admin *admin;
    struct leaves *leaves;  /* what may be intercepted */
    struct handler handler; /* what clients are given */
};

void desk_init(struct desk *, struct proxy *, struct admin *, struct leaves *);
