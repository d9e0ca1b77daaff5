/* One request on its way to its origin: waits for its place in the serializer, at the gate
 * and for a line; tries; tries again where that cannot send an order twice (contract 4);
 * and says what went wrong and what of the request can have reached the origin. An
 * exchange whose events bring the response as the origin sent it; a failure is told by
 * on_failed, before the head too.
 * Owned by whoever opened it until it ends; it frees itself.
 * States: gathering (a small body), withheld (see fetch_go()), serialized (serialize_by),
 * gated, queued (for a line), trying (see attempt.h), followed (trying, after its client
 * disconnected), ended. */
#pragma once

#include "cache/origin_fetch.h"
#include "proxy/upload.h"

/* The fetch owns what is one for all tries: body (upload), times (clocks), what can have left
 * (delivery), its place in the serializer; the attempt what belongs to a try: the exchange on the
 * line, its deadline, the response.
 *
 * The verdict is made in one place, fail(): whatever went wrong last, `sent` is what the
 * delivery says of all tries. An owner that asks (exchange_sent()) gets the same fact.
 *
 * Why an order cannot go twice. A further try begins in two places only:
 * - on_lost(), where delivery_may_repeat() must permit it. Of an order it does only if
 *   nothing of it was sent (the line says so, after it has taken back what it could), or
 *   if the origin says in HTTP/2 that it did nothing of it: REFUSED_STREAM, a GOAWAY below
 *   the stream's id, HTTP_1_1_REQUIRED (`undone`). The third case, a safe request on a
 *   reused line, demands is_safe, which no order has.
 *   Once a head has come there is no on_lost any more.
 * - on_answer(), for a 421 alone, which says that the request was not acted on.
 * Both demand may_replay(): the owner is still there, the body is still kept, tries and
 * time are left. The delivery only grows, so a later try cannot hide an earlier one.
 * Another exit or endpoint (pass_gate(), acquire(), on_recall(), on_no_line(), on_slow()) is no further
 * try: it is chosen at the gate or in the queue, where the present try has no line yet, so that nothing
 * of it was sent. Once a byte was handed to a connection in an earlier try, the endpoint stays
 * (way_taken.h). */

/* `order` is copied; what it points to must live as long as the fetch. */
struct exchange *fetch_open(const struct fetch_order *order, const struct exchange_events *,
                            void *owner);

/* Lets a request go on that the order's may_go() has withheld. False: its time to be sent is over
 * (order_wait, or its deadline), and it stays withheld. */
bool fetch_go(struct exchange *) MUST_CHECK;

/* The client has disconnected. True: the request has been sent whole, so its response is
 * still read and the connection stays usable (contract 11); these events, with this owner,
 * replace the earlier ones until it ends. It ends early, by on_failed, if more than 1 MiB
 * of a response comes (FAILURE_NONE) or response_timeout or body_timeout is up; if it is
 * no order, also after 2 s, after a pause of 500 ms, and after 500 ms if another request
 * waits for the connection. False: nothing has changed. */
bool fetch_follow(struct exchange *, const struct exchange_events *, void *owner) MUST_CHECK;

/* Later on, its owner wants it judged after all whether it may go: these events and may_go() of the
 * order, with this owner, replace the earlier ones. Where it is not gathering any more, it is not
 * asked about. Its order and what has been seen of it, borrowed. */
struct fetch_guarding {
    const struct exchange_events *events;
    bool (*may_go)(void *owner, const struct conn_request *, struct span body);
};
struct fetch_seen {
    const struct fetch_order *order;
    const struct upload *upload;
    unsigned status; /* of a response that has come; 0: none */
};
struct fetch_seen fetch_guard(struct exchange *, const struct fetch_guarding *, void *owner);

/* Sets its deadline for the head to `until_ms` (loop time, ms). A wait in a queue that has
 * begun keeps its earlier bound. */
void fetch_extend(struct exchange *, uint64_t until_ms);

/* The verdict it would fail with if its time, `total_ms` in all, ran out now, before the
 * head of a response. */
struct verdict fetch_late(const struct exchange *, uint64_t total_ms);
