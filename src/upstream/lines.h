/* All lines of one origin: opens them up to the cap, keeps min_idle of them
 * open, retires what is old, idle for long, or in doubt.
 * Owned by its pool. A line is on exactly one list: connecting, idle (newest
 * first), shared (it carries some and has room for more) or busy; open is the
 * sum, and never a second number. */
#pragma once

#include "upstream/breaker.h"
#include "upstream/floor.h"
#include "upstream/idle_learn.h"
#include "upstream/line.h"
#include "upstream/origin_traits.h"

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
    struct origin_traits traits;
    struct floor floor;
    struct deadline retry; /* when who was told "not before" should ask again */
    struct deadline look;  /* when those who wait should ask again */
    uint64_t short_at;     /* when we were last short of descriptors (loop time, ms); 0: we are
                              not: then dials go one by one, the next when one succeeded, */
    uint64_t short_until;  /* or not before this */
    unsigned generation;
    bool paused;      /* nothing is dialled, for nobody */
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

/* Lines that have carried nothing yet, those under way too; and established ones that may
 * be dead, which is known as soon as whether a dial succeeds. */
size_t lines_unused(const struct lines *);
size_t lines_doubted(const struct lines *);

/* Of them, those that are worth waiting for now as lines that connect are; those who wait
 * are told to ask again when that is over. */
size_t lines_awaited(struct lines *);

/* At the cap the idle line that was used longest ago goes, for a new one to be dialled.
 * False: the cap is not reached, or none is idle. */
bool lines_make_room(struct lines *);

struct lines_wish {
    bool careful;   /* the kernel is asked even of a line that came back just now */
    bool alone;     /* on a line that carries nothing else, if there is one; */
    bool may_share; /* otherwise on one with room */
    bool wants_new; /* on none that has carried anything */
};

/* A line, lent; NULL if there is none. The newest idle one, or the least loaded
 * with room: one idle line is left for the next who wants one alone. One that has
 * something unread is retired on the way, or (if it shares, or is new) left until that
 * is read. */
struct line *lines_take(struct lines *, const struct lines_wish *);

/* For whom a line is dialled: an order that waits, or the first of the others who do;
 * those behind, who wait for what the first line turns out to be; nobody (min_idle). */
enum dial_for { DIAL_FOR_WAITER, DIAL_FOR_BURST, DIAL_FOR_FLOOR };

/* May one more be dialled? The one place where that is decided: the time (loop time, ms)
 * before which not, at the earliest now; DIAL_NOT: not as things are (the cap, a pause, a
 * drain, a probe of an open circuit under way, enough for the floor). When that changes
 * on_room is told. */
#define DIAL_NOT UINT64_MAX
uint64_t lines_dial_at(const struct lines *, enum dial_for);

/* Dials one more, if it may be dialled now. Else on_room is told when it may be. */
bool lines_dial(struct lines *, enum dial_for);

/* Opens a line over a TCP connection that was dialled before, if the cap allows;
 * takes it over in either case. */
void lines_adopt(struct lines *, struct stream *, const struct dial_report *);

/* Brings the number of open lines up to min_idle (after start, loss, reload). */
void lines_keep_floor(struct lines *);

/* Retires idle lines now and busy ones on their return; dials under way are given up. */
void lines_renew(struct lines *);

/* Likewise, for another origin: what was learned of the old one (failures, limits,
 * what its lines carry) is forgotten. */
void lines_redirect(struct lines *, const struct upstream_config *);

/* Retires idle lines whose address is gone from DNS. */
void lines_check_addresses(struct lines *);
/* New settings of the same upstream; `renew`: the lines are of another kind. */
void lines_configure(struct lines *, const struct upstream_config *, bool renew);

/* A pause: what is open stays, but nothing is dialled until its end. Then the operator
 * wants it used: former failures to connect hold nobody back. */
void lines_pause(struct lines *, bool paused);
/* Drains: idle lines close now, others on their return, unless somebody waits. */
void lines_drain(struct lines *);
void lines_undrain(struct lines *);

int64_t lines_learned_ms(const struct lines *); /* -1: nothing */
uint64_t lines_rest_ms(const struct lines *);   /* so long may a line be idle */
struct floor_state lines_floor_state(const struct lines *);
