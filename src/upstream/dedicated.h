/* A line outside the pool, for the one request that asks for an upgrade: it speaks HTTP/1.1
 * whatever else the origin could, counts as no connection of the pool, and carries nothing
 * after. Part of the fetch of that request, which closes it. It is refused, connecting,
 * lent, or none (not begun, failed, or closed). */
#pragma once

#include "upstream/pool.h"

struct dedicated {
    struct line *line;   /* NULL: none */
    struct task refusal; /* the pool admits nothing now: told outside dedicated_open() */
    struct verdict why;
    void *owner;
    void (*on_line)(void *owner, struct line *); /* lent: to be used at once, by line_open() */
    void (*on_failed)(void *owner, const struct verdict *); /* there is none; sent = no */
};

/* With its owner's events. To be closed, then freed by free(). */
struct dedicated *dedicated_new(void *owner, void (*on_line)(void *owner, struct line *),
                                void (*on_failed)(void *owner, const struct verdict *));

/* Is a line connecting or lent? NULL is fine. */
bool dedicated_is_open(const struct dedicated *);

/* Begins to dial the pool's origin, that way. Exactly one of the events comes later, unless
 * dedicated_close(). */
void dedicated_open(struct dedicated *, struct loop *, struct pool *, struct way *);

/* Closes what there is, or nothing; no event comes after. The exchange on it must have ended
 * or been cancelled. NULL is fine. */
void dedicated_close(struct dedicated *);
