/* The TLS contexts of one configuration, all built before it is put to use, since reading
 * certificates takes milliseconds and may fail. Built at the start or on the worker; owned by
 * what built it, until pools_apply() has taken references to the contexts. It has no states:
 * it is complete, or there is none. */
#pragma once

#include "config/config.h"
#include "net/tls_context.h"

struct tls_set;

/* NULL after complaints ("FILE:LINE: message") about files that cannot be used. */
struct tls_set *tls_set_new(const struct config *, config_complain *, void *context);
void tls_set_free(struct tls_set *);

/* The context of upstream `n` (NULL: it uses no TLS); that of unlisted hosts; that of budget_store
 * (NULL: no TLS). Borrowed. */
struct tls_context *tls_set_upstream(const struct tls_set *, size_t n);
struct tls_context *tls_set_unlisted(const struct tls_set *);
struct tls_context *tls_set_store(const struct tls_set *);
