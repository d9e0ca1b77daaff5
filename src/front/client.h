/* One client connection: reads its requests one at a time, has each answered by an
 * exchange of the handler, and writes the responses in order. It knows no upstream.
 *
 * A client that ends its side (EOF) or resets while a request is unanswered has left:
 * the exchange is cancelled, and requests sent ahead are dropped. A response that
 * cannot be completed is closed short.
 *
 * Owned by itself, and on the list `open` of its context until it is closed; it frees
 * itself at the end of that turn. Idle (between requests), head (a byte of a request
 * has come), exchange (its head is complete, the response or the request is not),
 * switched (after CONNECT or an upgrade: `client_tunnel` has the stream), leaving (the
 * last response is written, the client still reads it), closed. An exchange is over
 * when its request and its response both are: see request_parser and response_writer. */
#pragma once

#include "front/client_context.h"
#include "net/stream.h"

struct client;

/* Takes the stream over; copies `ingress`. */
void client_new(struct client_context *, struct stream *, const struct ingress *);

/* The client whose link on the list `open` this is. */
struct client *client_of(struct link *);

/* Closes it if it is between two requests and none is arriving. */
void client_dismiss(struct client *);

/* CLIENTS_ENDING: answers what it has asked for with the context's `ending`, or closes
 * it if that is nothing. */
void client_settle(struct client *);

/* Has it not been sent all of the response to what it asked for? */
bool client_owes(const struct client *);

/* Cancels what is under way and closes, by a reset where a plain close would make a
 * response cut short look whole. `why` is for the log. Idempotent. */
void client_close(struct client *, const char *why);
