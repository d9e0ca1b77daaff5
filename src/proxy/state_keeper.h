/* Keeps what must outlive a restart in the state file (contract 12): the holds and weights of the
 * pools, and the freezes. Owned by the daemon; made before the pools have any, freed before them.
 * Off, or in use; in use, its file (saved_file.h) is idle, due or being written. */
#pragma once

#include <limits.h>

#include "net/saved_file.h"
#include "proxy/freezes.h"
#include "upstream/pools.h"

struct state_keeper;

/* It is off. Watches the pools and the freezes. */
struct state_keeper *state_keeper_new(struct loop *, struct pools *, struct freezes *);

/* The path that the directive `state` means (NULL: it is not set), or NULL: off. */
const char *state_keeper_path(const char *directive, char path[PATH_MAX]);

/* Can the file be kept there? False, with the reason in `error`. */
bool state_keeper_check(const char *path, char *error, size_t size) MUST_CHECK;

/* Uses this path from now on (NULL: off). To be called before each pools_apply(). The first time it
 * reads the file, and blocks meanwhile: the freezes are restored at once, holds and weights as the
 * pools are made. A damaged file is put aside, and everything is frozen, since nothing tells what
 * was. Later the state moves to the new path, and is merged with a file that is there. */
void state_keeper_use(struct state_keeper *, const char *path);

/* As in admin.h. */
bool state_keeper_save(struct state_keeper *, struct save_waiter *) MUST_CHECK;

struct state_view {
    struct saved_file_view file; /* its path is NULL: off */
    const char *damage;          /* what was wrong with the file at start; NULL: nothing */
};
struct state_view state_keeper_view(const struct state_keeper *);

/* Writes what is not written yet, blocking, and frees itself. */
void state_keeper_free(struct state_keeper *);
