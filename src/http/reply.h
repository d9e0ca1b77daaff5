/* An answer of our own as an exchange: an error of SPEC 4, or a page. The
 * request's body, if any, is swallowed. Frees itself at its end. */
#pragma once

#include "http/exchange.h"
#include "net/loop.h"

/* The head and body of the error answer to `request` (which may be NULL when
 * its head never was complete): plain text, or JSON if Accept names it; with
 * Proxy-Status and Trunkline-Sent. `upstream` and `next_hop` ("host:443") may
 * be NULL. All from `arena`. The body is empty for HEAD, its length is told. */
struct response *reply_error(struct arena *, const struct request *, const struct verdict *,
                             const char *upstream, const char *next_hop, struct span *body);

/* "Bad Gateway": the reason phrase of a status of our own; else empty. */
struct span reply_reason(unsigned status);

/* An exchange that answers so: the events come later, body after head after the
 * loop's turn. `response` and `body` live in the request's arena. */
struct exchange *reply_open(struct loop *, const struct response *, struct span body,
                            const struct exchange_events *, void *owner);

/* One whose answer is not known yet: silent until reply_answer(), once. If the
 * asker goes before, or refuses the request (which then fails so), `gone` is told, and
 * no answer may be given. */
struct exchange *reply_open_later(struct loop *, void (*gone)(void *context), void *context,
                                  const struct exchange_events *, void *owner);
void reply_answer(struct exchange *, const struct response *, struct span body);
