/* When the next line may be opened that nobody waits for: one of min_idle.
 * Embedded in `lines`. Filling (at the start, and where an operator had the lines
 * replaced: min_idle lines come up as fast as they can be dialled), or filled: then no
 * more than one a second is opened, whatever ended the others, and fewer while the origin
 * ends them unused, so that a pool without requests opens no storm of handshakes. */
#pragma once

#include "config/config.h"

struct floor {
    bool filled;
    unsigned came_up;       /* lines, since the filling began */
    unsigned unused_losses; /* times in a row that the origin ended one before its first request */
    uint64_t lost_until;    /* loop time, ms: no line before, since the origin ended one */
    uint64_t next_at;       /* likewise, since one was opened */
    uint64_t together_at;   /* when several were last opened together */
};

/* What there is now. Where lines live for less than min_idle seconds, min_idle of them
 * would never be there together if they came one a second: those that are missing are
 * then opened together, once in so many seconds. */
struct floor_state {
    uint64_t now_ms;
    size_t connecting;    /* lines under way */
    uint64_t lifetime_ms; /* of a line that nobody uses */
};

/* A filling begins, whatever came before. */
void floor_begin(struct floor *);

/* A line came up, whoever it was opened for; one is opened for the floor; the origin
 * ended one, which had been used or not. */
void floor_came_up(struct floor *, const struct upstream_config *, uint64_t now_ms);
void floor_opens(struct floor *, const struct upstream_config *, const struct floor_state *);
void floor_lost(struct floor *, const struct upstream_config *, bool used, uint64_t now_ms);

/* The time before which none is opened; 0: now. */
uint64_t floor_when(const struct floor *, const struct upstream_config *,
                    const struct floor_state *);
