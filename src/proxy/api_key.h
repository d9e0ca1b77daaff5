/* The API key of a request (contract 11, "Credential"), as its identity (budget/credential.h): so
 * that a hold which the exchange asks of one key applies to that key alone, in whatever order the
 * fields of the request are. A pure function. */
#pragma once

#include "config/config.h"
#include "http/message.h"

/* The key is the value of the first field of credential_headers, in the order of that list
 * with Cookie last, whose name contains neither "sign", "timestamp" nor "passphrase"; if
 * there is none, of the parameter listenKey in `path`. Of a JSON Web Token (RFC 7519) it is
 * the `kid`, or else the `sub`. Requests without a key share CREDENTIAL_NONE. Never 0. */
uint64_t request_api_key(const struct upstream_config *, const struct fields *, struct span path);
