/* A response that the proxy itself makes, as an exchange: an error (contract 4) or a page.
 * The request's body, if any, is discarded. Owned by the code that opened it; frees itself
 * at its end. Its states are in reply.c. */
#pragma once

#include "http/exchange.h"
#include "net/loop.h"

/* The head and body of an error response to `request` (NULL if its head was never complete):
 * plain text, or JSON if Accept names that; with Proxy-Status and Trunkline-Sent.
 * `upstream` and `next_hop` ("host:443") may be NULL. All of it is allocated from `arena`.
 * For HEAD the body is empty, and only its length is given. */
struct response *reply_error(struct arena *, const struct request *, const struct verdict *,
                             const char *upstream, const char *next_hop, struct span *body);

/* The reason phrase of a status, "Bad Gateway"; empty for one that the proxy does not know. */
struct span reply_reason(unsigned status);

/* Opens an exchange with this response. Its events come later, from the loop. `response` and
 * `body` live in the request's arena. */
struct exchange *reply_open(struct loop *, const struct response *, struct span body,
                            const struct exchange_events *, void *owner);

/* Opens one whose response is not known yet: nothing happens until reply_answer(), which is
 * to be called once. If the exchange is cancelled or refused before (it then fails with the
 * reason given), `gone` is called instead, and reply_answer() must not be. */
struct exchange *reply_open_later(struct loop *, void (*gone)(void *context), void *context,
                                  const struct exchange_events *, void *owner);
void reply_answer(struct exchange *, const struct response *, struct span body);
