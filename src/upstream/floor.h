/* The pace at which min_idle is filled: when the next line may be opened for which no request
 * waits. Embedded in `lines`. Filling (at the start, and after an operator had the lines
 * replaced: min_idle lines are opened as fast as they can be dialled) or filled: then at most
 * one a second is opened, whatever ended the others, and fewer while the origin ends them
 * unused, so that a pool without requests causes no storm of handshakes. */
#pragma once

#include "config/config.h"

struct floor {
    bool filled;
    unsigned came_up; /* lines that did since the filling began */
    unsigned
        unused_losses;    /* times in a row that the origin ended a line before its first request */
    uint64_t lost_until;  /* loop time, ms: no line is opened before, since the origin ended one */
    uint64_t next_at;     /* likewise, since another was opened */
    uint64_t together_at; /* when several lines were last opened together */
};

/* The lines that there are. If they live for less than min_idle seconds, opening one a second
 * would never give min_idle of them at once: then those that are missing are opened together,
 * once in min_idle seconds. */
struct floor_state {
    uint64_t now_ms;
    size_t connecting;    /* lines that do */
    uint64_t lifetime_ms; /* of a line that is not used */
};

/* Begins to fill, whatever came before. */
void floor_begin(struct floor *);

/* A line came up, for whatever reason it was opened; one is opened for min_idle; the origin ended
 * one, which had carried a request (`used`) or not. */
void floor_came_up(struct floor *, const struct upstream_config *, uint64_t now_ms);
void floor_opens(struct floor *, const struct upstream_config *, const struct floor_state *);
void floor_lost(struct floor *, const struct upstream_config *, bool used, uint64_t now_ms);

/* The time (loop time, ms) before which no line is opened for min_idle; 0: now. */
uint64_t floor_when(const struct floor *, const struct upstream_config *,
                    const struct floor_state *);
