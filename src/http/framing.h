/* How long a body is, and whether the connection persists (RFC 9112 6 and 9.3); and what
 * trunkline refuses in addition to llhttp (contract 10), since each ambiguity between two
 * parsers is a way to smuggle a request. Pure functions. */
#pragma once

#include "base/failure.h"
#include "http/message.h"

/* Sets the framing fields of a request whose head is complete. False: `why` says what is wrong,
 * and with which status the request is to be refused (400, 501, 505). */
bool framing_of_request(struct request *, struct verdict *why) MUST_CHECK;

/* Likewise of a response; `to_head`: to a HEAD request. What an interim response says of its
 * connection and of a body is ignored. */
bool framing_of_response(struct response *, bool to_head, struct verdict *why) MUST_CHECK;

/* Likewise of a 101 to a request that asked for WebSocket (RFC 9110 15.2.2). */
bool framing_of_switch(struct response *, struct verdict *why) MUST_CHECK;
