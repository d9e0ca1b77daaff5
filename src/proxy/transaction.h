/* One request of a client, from its head to the last byte of the response: has it fetched,
 * relays the response, or replies what went wrong and what of the request can have reached
 * the origin; and counts it, once. An exchange for the client's side.
 * Owned by whoever opened it until it ends; it frees itself.
 * States: asking (no head has been relayed), relaying, replying (an error of our own),
 * followed (its client disconnected after it was sent whole; it goes on without a client
 * until its outcome is known), ended. */
#pragma once

#include "http/exchange.h"
#include "proxy/record.h"
#include "proxy/route.h"
#include "proxy/totals.h"
#include "upstream/pools.h"

/* `route` and `refusal` are copied, `config` is pinned; the rest is borrowed until the
 * transaction ends (of `request` and `ingress`, see exchange_leave()). */
struct transaction_order {
    struct loop *loop;
    struct pools *pools;
    struct coalescer *coalescer;
    struct dedupe *dedupe;
    struct config *config;
    struct totals *totals;
    struct freezes *freezes;   /* NULL: nothing is ever frozen */
    struct order_entry *entry; /* in the journal; ended with its record; NULL: none */
    struct list *followed;     /* of the transactions in that state, see transaction_of() */
    record_listener *on_record;
    uint64_t record_least_us; /* the listener gets no shorter ones, unless `unknown` */
    void *record_context;
    const struct request *request;
    const struct ingress *ingress;
    const struct route *route;     /* NULL: none was found */
    const struct verdict *refusal; /* it is not sent, and answered so; NULL: it is sent */
};

/* The transaction of a link on that list, to be refused or cancelled. */
struct exchange *transaction_of(struct link *);

/* Describes the transaction that the entry belongs to, see under_way.h. */
under_way_describer transaction_describe;

/* A reload: if it is an order that nothing guards against copies yet, and this configuration (pinned
 * then) has `dedupe` for it, copies of it are recognised from now on. */
void transaction_guard(struct under_way_entry *, struct config *);

/* Begins it; the request's body and end follow. No event comes from inside this call. */
struct exchange *transaction_open(const struct transaction_order *, const struct exchange_events *,
                                  void *owner);
