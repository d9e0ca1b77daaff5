/* Which names bear secrets (SPEC 2, credential_headers and credential_params), and
 * which requests are private. Pure functions. */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "http/message.h"

/* Does this name, in any case, stand on the list or contain key, sign, token,
 * secret, passphrase or auth? */
bool credential_name(const struct config_names *, struct span name);

/* Is it on the list itself? `name` may be empty. */
bool credential_is_listed(const struct config_names *, struct span name);

/* Is it the name of a field that bears a credential? Never Proxy-* and Sec-WebSocket-*. */
bool field_is_credential(const struct upstream_config *, struct span name);

/* Does the request bear a credential header or parameter (query of `path`, names
 * decoded once), or a client certificate? Such a request is private. */
bool request_is_private(const struct upstream_config *, const struct fields *, struct span path);

/* The first parameter of the query of `path` whose name, decoded once, is the one: its
 * value, as it stands. False: there is none. */
typedef bool parameter_test(const void *context, struct span name);
bool query_parameter(struct span path, parameter_test *is_it, const void *context,
                     struct span *value) MUST_CHECK;
