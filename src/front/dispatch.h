/* Where a client's request is looked at first: who may ask, which page or
 * upstream is meant; then it is handed on. Owned by main. */
#pragma once

#include "front/handler.h"
#include "net/leaves.h"
#include "pages/admin.h"
#include "proxy/proxy.h"

struct dispatch {
    struct proxy *proxy;
    struct admin *admin;
    struct leaves *leaves;  /* what may be intercepted */
    struct handler handler; /* what clients are given */
};

void dispatch_init(struct dispatch *, struct proxy *, struct admin *, struct leaves *);
