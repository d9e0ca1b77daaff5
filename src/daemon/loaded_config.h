/* A configuration ready to be put to use: read, checked, its certificates
 * loaded. Made at start, or on the worker for a reload (it takes milliseconds);
 * given up whole if anything in it is wrong. */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "net/ca.h"
#include "net/worker.h"
#include "pages/reload_waiter.h"
#include "upstream/tls_set.h"

struct loaded_config {
    struct config *config; /* NULL: it was no good */
    struct tls_set *tls;
    struct ca *ca;      /* for intercept; NULL: none */
    struct text errors; /* one a line */
};

/* Fills the loaded; errors are gathered, never printed. False: there are some. */
bool loaded_config_make(struct loaded_config *, const char *path, bool optional) MUST_CHECK;
void loaded_config_clear(struct loaded_config *);

/* Gathers all that is wrong with a file, as loaded_config_make() would, and what else the
 * start of a daemon would refuse (front/start_check.h). Nothing is kept. */
bool loaded_config_check(const char *path, struct text *errors) MUST_CHECK;

/* Makes one on the worker, then calls `use` on the loop with it, which says what
 * came of it and may add to its errors. One at a time: asked again meanwhile, it
 * makes another after, from the file as it is by then.
 * `optional` holds until the file was there: then one that is gone is an error. */
struct reload;
struct reload *reload_new(struct worker *, const char *path, bool optional,
                          enum reload_outcome (*use)(void *owner, struct loaded_config *),
                          void *owner);

/* The waiter (NULL: nobody waits) is told of a reading that began after this call. */
void reload_ask(struct reload *, struct reload_waiter *);

/* Forgets it and who waits; one under way is waited out by worker_free(). */
void reload_free(struct reload *);
