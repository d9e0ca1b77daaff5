/* One request of a client at the proxy, from its head to the last byte of its
 * answer: has it fetched, relays the answer or says what went wrong and whether
 * the request can have reached the exchange. Counts it, once. An exchange to the
 * client side; frees itself. Asking, relaying, replying (an error of ours), over. Whose
 * client leaves after it was sent whole is followed: it goes on, with nobody to hear it,
 * until its outcome is known. */
#pragma once

#include "http/exchange.h"
#include "proxy/record.h"
#include "proxy/route.h"
#include "proxy/totals.h"
#include "upstream/pools.h"

/* `route` and `refusal` are copied. With a refusal the request goes nowhere and
 * is answered so. */
struct transaction_order {
    struct loop *loop;
    struct pools *pools;
    struct coalescer *coalescer;
    struct config *config;
    struct totals *totals;
    struct list *followed; /* of links of theirs, see transaction_of() */
    record_listener *on_record;
    uint64_t record_least_us; /* shorter ones are not told, unless their fate is unknown */
    void *record_context;
    const struct request *request;
    const struct ingress *ingress;
    const struct route *route;     /* NULL: none was found */
    const struct verdict *refusal; /* NULL: it goes to route's upstream */
};

/* One that is followed, to be refused or cancelled. */
struct exchange *transaction_of(struct link *);

/* One that is under way, see under_way.h. */
under_way_describer transaction_describe;

struct exchange *transaction_open(const struct transaction_order *, const struct exchange_events *,
                                  void *owner);
