/* The TLS contexts of one configuration, built whole before it is put to use:
 * reading certificates takes milliseconds and may fail. Built at start or on
 * the worker; owned by whoever built it until pools_apply() has shared it out. */
#pragma once

#include "config/config.h"
#include "net/tls_context.h"

struct tls_set;

/* NULL after complaints ("FILE:LINE: message") about what cannot be used. */
struct tls_set *tls_set_new(const struct config *, config_complain *, void *context);
void tls_set_free(struct tls_set *);

/* The context of upstream `n`, NULL if it is plain; that of unlisted hosts. */
struct tls_context *tls_set_upstream(const struct tls_set *, size_t n);
struct tls_context *tls_set_unlisted(const struct tls_set *);
