/* Whose request is it? The value of the API key it bears (SPEC 11, "Credential"), as a
 * hash, so that what an exchange asks of one key (a hold) meets that key alone, in
 * whatever order the fields arrive. A pure function. */
#pragma once

#include "config/config.h"
#include "http/message.h"

/* Its key is the value of the first of credential_headers, in that list's order, whose
 * name holds neither "sign", "timestamp" nor "passphrase", Cookie last; else of the
 * parameter listenKey of `path`. Of a JSON Web Token (RFC 7519) it is its `kid`, else its
 * `sub`. Requests without one have API_KEY_NONE in common. Never 0. The hash (FNV-1a)
 * tells keys apart, it hides nothing and leaves the process nowhere. */
#define API_KEY_NONE 1
uint64_t request_api_key(const struct upstream_config *, const struct fields *, struct span path);
