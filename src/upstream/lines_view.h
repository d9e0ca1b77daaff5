/* The lines of one origin as they are: which list each is on, what is known of the origin,
 * and what follows from that: how many there are, how many may come, whether one more may be
 * dialled. Embedded in the pool, as `struct lines`; nothing here changes it (lines.h does).
 * A line is on exactly one list: connecting, idle (most recently used first), shared (it
 * carries some exchanges and has room for more) or busy. */
#pragma once

#include "upstream/breaker.h"
#include "upstream/floor.h"
#include "upstream/idle_learn.h"
#include "upstream/line.h"
#include "upstream/origin_traits.h"

#define LINES_OBJECT_SIZE 160 /* "upstream NAME exit EXIT endpoint HOST" */

struct lines_events;

/* lines.h alone writes here. Totals are the counts of the lists, never a second number. */
struct lines {
    struct line_env env;
    const struct upstream_config *settings;
    char object[LINES_OBJECT_SIZE]; /* for the log */
    const struct lines_events *events;
    void *owner;
    struct list connecting, idle, shared, busy;
    struct breaker breaker;      /* consecutive failures to connect */
    struct idle_learn learn;     /* when the origin closes idle lines */
    struct origin_traits traits; /* HTTP/1.1 or HTTP/2, and how many streams */
    struct floor floor;          /* the pace at which min_idle is filled */
    struct deadline retry;       /* when a dial that was not allowed yet will be */
    struct deadline look;        /* when lines that were passed over are to be looked at again */
    uint64_t short_at;           /* when a dial last failed for want of descriptors (loop time,
                                     ms); 0: it was long ago. Then dials go one by one, the next when
                                     one succeeded, */
    uint64_t short_until;        /* or not before this */
    unsigned generation;         /* of the settings; lines of an earlier one are replaced */
    bool paused;                 /* nothing is dialled */
    bool closing;                /* draining: min_idle is not kept, nothing stays idle */
    int64_t certificate_ends_s;  /* since 1970, of the last one that an origin showed; 0: none */
    bool floor_tried;            /* min_idle lines came up since the start, or a dial failed */
};

/* All that there are, those that connect as well. */
size_t lines_open(const struct lines *);

/* Shows each of them: those that connect first, then idle, shared and busy ones. */
typedef void line_visit(void *context, const struct line_view *);
void lines_each(const struct lines *, line_visit *, void *context);

/* Idle lines that could be lent; lines that may yet come: those that connect, and those that
 * could be dialled now. */
size_t lines_ready(const struct lines *);
size_t lines_coming(const struct lines *);

/* Lines that have carried nothing yet, those that connect as well; established lines that may
 * be dead, which is known as soon as whether a dial succeeds. */
size_t lines_unused(const struct lines *);
size_t lines_doubted(const struct lines *);

/* Why an established line must carry nothing more than it does; CLOSE_REASON_COUNT: it may. */
enum close_reason lines_unfit(const struct lines *, const struct line *);

/* How many exchanges the line may carry at once if it shares; how many more it can carry. */
size_t lines_most(const struct lines *, const struct line *);
size_t lines_room(const struct lines *, const struct line *);

/* For whom a line is dialled: a waiting order, or the first of the other waiters; the other
 * waiters behind that one, which wait for what the first line turns out to be (HTTP/2 may
 * carry all of them); no request at all (min_idle). */
enum dial_for { DIAL_FOR_WAITER, DIAL_FOR_BURST, DIAL_FOR_FLOOR };

/* May one more line be dialled? The only place where that is decided: the time (loop time,
 * ms) before which it may not, at the earliest now; DIAL_NOT: not as things are (the cap, a
 * pause, a drain, a probe of an open circuit is under way, an origin that allows no streams,
 * enough lines for min_idle). When that changes, on_room is told. */
#define DIAL_NOT UINT64_MAX
uint64_t lines_dial_at(const struct lines *, enum dial_for);

struct floor_state lines_floor_state(const struct lines *);

/* The idle time after which the origin closes, as learned (-1: nothing is known, or idle_learn
 * is off); how long a line may be idle because of that and of idle_timeout. ms. */
int64_t lines_learned_ms(const struct lines *);
uint64_t lines_rest_ms(const struct lines *);
