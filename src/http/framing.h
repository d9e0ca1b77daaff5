/* How long is the body, and may the connection go on? RFC 9112 6 and 9.3, and
 * what trunkline refuses beyond llhttp (SPEC 10): each ambiguity between two
 * parsers is a way to smuggle a request. Pure functions. */
#pragma once

#include "base/failure.h"
#include "http/message.h"

/* Fills the framing facts of a request whose head is complete. False: `why`
 * says what is wrong and with which status to refuse (400, 501, 505). */
bool framing_of_request(struct request *, struct verdict *why) MUST_CHECK;

/* Likewise of a response to a request; `to_head`: it was HEAD. What an interim
 * one says of its connection and of a body is passed over. */
bool framing_of_response(struct response *, bool to_head, struct verdict *why) MUST_CHECK;

/* Likewise of a 101 to a request that asked for websocket (RFC 9110 15.2.2). */
bool framing_of_switch(struct response *, struct verdict *why) MUST_CHECK;
