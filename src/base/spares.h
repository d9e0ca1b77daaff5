/* Blocks of one size that were given back and are kept for the next that is taken, so that a
 * steady load asks the allocator for nothing: it serves small blocks fast only as long as few
 * are given back at once. One list for each type, owned by the module that defines it; it keeps
 * a bounded number of blocks and has no states. A list is for one thread only: where blocks are
 * taken or given back by others too, it is _Thread_local. */
#pragma once

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

#define SPARES_MAX 64 /* blocks that a list keeps */

struct spares {
    struct spare *first;
    unsigned count;
};

/* `size` bytes, the same for every call with this list; not zeroed. Aborts when memory is
 * out. */
void *spares_take(struct spares *, size_t size) __attribute__((returns_nonnull));

/* Gives a block back that spares_take() returned. */
void spares_give(struct spares *, void *block);

/* A zeroed object, to be given back with spares_give(). */
void *spares_zeroed(struct spares *, size_t size) __attribute__((returns_nonnull));

#define SPARES_NEW(spares, type) ((type *)spares_zeroed(spares, sizeof(type)))

/* Zeroes only the fields before `member`; the owner must assign the others. */
#define SPARES_NEW_UP_TO(spares, type, member)                                                     \
    ((type *)memset(spares_take(spares, sizeof(type)), 0, offsetof(type, member)))
