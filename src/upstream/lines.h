/* Opens, places and closes the lines of one origin: up to the cap, at least min_idle of them;
 * closes those that are old, idle for long, broken or no longer wanted. Works on the
 * `struct lines` of its pool (lines_view.h), which is up, paused, draining (closing) or both.
 * Which line a request gets is lines_take.h's business, which request is pool_queue.h's. */
#pragma once

#include "upstream/lines_view.h"

/* None of them is told from within a call of its owner's, except within those that place or
 * close lines (lines_renew() and the like). */
struct lines_events {
    /* A line is idle (a new one, or one that came back), or has room; or it is time for the
     * waiters to try again. */
    void (*on_idle)(void *owner);
    /* A dial failed. */
    void (*on_failed)(void *owner, enum failure why, const char *detail);
    /* A line was closed, or dialling is allowed again: there may be room for another. */
    void (*on_room)(void *owner);
};

/* Ready to dial, with nothing open. Everything is borrowed for its life. lines_end() closes
 * all, and tells nothing. */
void lines_init(struct lines *, struct loop *, struct connector *, const struct upstream_config *,
                const char *object, struct upstream_stats *, const struct lines_events *,
                void *owner);
void lines_end(struct lines *);

/* Dials one more line, if lines_dial_at() allows it now. False: not; on_room is told when it
 * is allowed, unless that depends on something else that on_room tells of. */
bool lines_dial(struct lines *, enum dial_for);

/* Opens a line over a TCP connection that was dialled before, if the cap allows; takes it over
 * in either case. */
void lines_adopt(struct lines *, struct stream *, const struct dial_report *);

/* Brings the number of open lines up to min_idle, at the pace of floor.h. */
void lines_keep_floor(struct lines *);

/* The settings' min_idle has become another: those that it asks for now are opened at once. */
void lines_refill(struct lines *);

/* How many lines in doubt are worth waiting for now, as lines that connect are; on_idle is
 * told when that is over. */
size_t lines_awaited(struct lines *);

/* on_idle is told at that time (loop time, ms), or sooner. */
void lines_look_again(struct lines *, uint64_t at);

/* The only way an established line of a pool ends while the pool goes on: it is counted
 * (stats.closed), logged and closed. */
void lines_retire(struct lines *, struct line *, enum close_reason, const char *detail);

/* Retires idle lines now, and busy ones when they come back; dials under way are given up. */
void lines_renew(struct lines *);

/* Likewise, for another origin: what was learned of the old one (failures, limits, what its
 * lines carry) is forgotten. */
void lines_redirect(struct lines *, const struct upstream_config *);

/* New addresses came from DNS: retires idle lines to addresses that are gone, and busy ones
 * when they come back. */
void lines_check_addresses(struct lines *);

/* New settings of the same upstream; `renew`: its lines must be opened anew. */
void lines_configure(struct lines *, const struct upstream_config *, bool renew);

/* A pause: what is open stays, but nothing is dialled until its end. The end of a pause forgets
 * failures to connect, since the operator wants the origin tried now. */
void lines_pause(struct lines *, bool paused);

/* A drain: idle lines close now, others when they come back, unless a request waits. */
void lines_drain(struct lines *);
void lines_undrain(struct lines *);
