/* All lines of one origin: opens them up to the cap, keeps min_idle of them
 * open, retires what is old, idle for long, or in doubt.
 * Owned by its pool. A line is on exactly one list: connecting, idle (newest
 * first), shared (it carries some and has room for more) or busy; open is the
 * sum, and never a second number. */
#pragma once

#include "upstream/breaker.h"
#include "upstream/idle_learn.h"
#include "upstream/line.h"
#include "upstream/prospect.h"

struct lines_events {
    /* There is an idle line (a new one, or one that came back), or one with room;
     * or those who wait should ask again. */
    void (*on_idle)(void *owner);
    /* A dial came to nothing. */
    void (*on_failed)(void *owner, enum failure why, const char *detail);
    /* A line was closed, or dialling is allowed again: there may be room. */
    void (*on_room)(void *owner);
};

struct lines {
    struct loop *loop;
    struct connector *connector;
    const struct upstream_config *settings;
    char object[80]; /* "upstream NAME", for the log */
    struct upstream_stats *stats;
    const struct lines_events *events;
    void *owner;
    struct list connecting, idle, shared, busy;
    struct breaker breaker;
    struct idle_learn learn;
    struct prospect prospect;
    struct deadline retry;  /* when dialling may be tried again */
    struct deadline look;   /* when those who wait should ask again */
    uint64_t floor_at;      /* the floor is not filled up before (loop time, ms) */
    unsigned unused_losses; /* lines in a row that the origin ended before their first request */
    unsigned generation;
    bool closing;     /* draining: no floor is kept, nothing rests */
    bool floor_tried; /* since start: min_idle lines came up, or one failed */
};

/* Ready to dial. Everything is borrowed for its life. lines_end() closes all. */
void lines_init(struct lines *, struct loop *, struct connector *, const struct upstream_config *,
                const char *name, struct upstream_stats *, const struct lines_events *,
                void *owner);
void lines_end(struct lines *);

size_t lines_open(const struct lines *);

/* Idle lines that could be lent, and lines that may yet come: those under way,
 * and those that could be dialled now. */
size_t lines_ready(const struct lines *);
size_t lines_coming(const struct lines *);

/* Lines that so many waiters need, of whom `loners` want one each. */
size_t lines_wanted(struct lines *, size_t waiters, size_t loners);

struct lines_wish {
    bool careful;   /* the kernel is asked even of a line that came back just now */
    bool alone;     /* on a line that carries nothing else, if there is one; */
    bool may_share; /* otherwise on one with room */
};

/* A line, lent; NULL if there is none. The newest idle one, or the least loaded
 * with room: one idle line is left for the next who wants one alone. One that has
 * something unread is retired on the way, or (if it shares, or is new) left until that
 * is read. */
struct line *lines_take(struct lines *, const struct lines_wish *);

/* Dials one more, if cap and breaker allow. `urgent`: somebody waits and no
 * line is established, so a recent failure is no reason to hold back. */
bool lines_dial(struct lines *, bool urgent);

/* Opens a line over a TCP connection that was dialled before, if the cap allows;
 * takes it over in either case. */
void lines_adopt(struct lines *, struct stream *, const struct dial_report *);

/* Brings the number of open lines up to min_idle (after start, loss, reload). */
void lines_keep_floor(struct lines *);

/* Retires idle lines now and busy ones on their return. */
void lines_renew(struct lines *);

/* Retires idle lines whose address is gone from DNS. */
void lines_check_addresses(struct lines *);
/* New settings of the same upstream; `renew`: the lines are of another kind. */
void lines_configure(struct lines *, const struct upstream_config *, bool renew);
/* Drains: idle lines close now, others on their return, unless somebody waits. */
void lines_drain(struct lines *);
void lines_undrain(struct lines *);

int64_t lines_learned_ms(const struct lines *); /* -1: nothing */
