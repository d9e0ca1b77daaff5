/* Which fields and parameters hold credentials (contract 2, credential_headers and
 * credential_params), and which requests are therefore private. Pure functions. */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "http/message.h"

/* Is this name on the list, or does it contain key, sign, token, secret, passphrase or auth?
 * Case does not matter. */
bool credential_name(const struct config_names *, struct span name);

/* Is it on the list itself? `name` may be empty. */
bool credential_is_listed(const struct config_names *, struct span name);

/* Is it the name of a header field that holds a credential? Proxy-* and Sec-WebSocket-* never
 * are. */
bool field_is_credential(const struct upstream_config *, struct span name);

/* Is the request private: does it have a credential header or parameter (in the query of
 * `path`, names decoded once), or does the upstream use a client certificate? */
bool request_is_private(const struct upstream_config *, const struct fields *, struct span path);

/* Finds the first parameter in the query of `path` whose name, decoded once, passes the test.
 * `value` is its value, not decoded. False: there is none. */
typedef bool parameter_test(const void *context, struct span name);
bool query_parameter(struct span path, parameter_test *is_it, const void *context,
                     struct span *value) MUST_CHECK;
