/* The API key of a request (contract 11, "Credential"), as a hash: so that a hold which the
 * exchange asks of one key applies to that key alone, in whatever order the fields of the
 * request are. A pure function. */
#pragma once

#include "config/config.h"
#include "http/message.h"

#define API_KEY_NONE 1 /* the hash of requests without a key */

/* The key is the value of the first field of credential_headers, in the order of that list
 * with Cookie last, whose name contains neither "sign", "timestamp" nor "passphrase"; if
 * there is none, of the parameter listenKey in `path`. Of a JSON Web Token (RFC 7519) it is
 * the `kid`, or else the `sub`. Requests without a key share API_KEY_NONE. Never 0. The hash
 * (FNV-1a) tells keys apart; it protects nothing, and never leaves the process. */
uint64_t request_api_key(const struct upstream_config *, const struct fields *, struct span path);
