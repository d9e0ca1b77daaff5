/* Memory: allocation that cannot fail, and a reserve for when there is none left. The first
 * allocation that fails gives the reserve back to the allocator and tries again; until it can be
 * filled again new requests are refused, so that those under way can end. There is one per process,
 * without an owner; the reserve is not held, held or spent. */
#pragma once

#include "base/check.h"

/* malloc(3), calloc(3), realloc(3), strdup(3) and strndup(3) that use the reserve when memory is
 * out, and abort when that is spent. Free the result with free(3). */
void *must_malloc(size_t size) __attribute__((malloc, returns_nonnull));
void *must_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *must_realloc(void *old, size_t size) __attribute__((returns_nonnull));
char *must_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *must_strndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));

#define NEW(type) ((type *)must_calloc(1, sizeof(type)))

/* Allocates the reserve. Without it the first allocation that fails aborts the process. Also lets
 * the allocator keep a few megabytes of freed memory for the next requests. */
void alloc_prepare(void);

/* Gives the reserve back to the allocator. Returns false if it was not held. */
bool alloc_rescue(void) MUST_CHECK;

/* Returns true if the reserve is spent. Tries to refill it first, and logs a failure to do so at
 * most once a minute. Costs nothing while the reserve is held. */
bool alloc_is_short(void);
