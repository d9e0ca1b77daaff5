/* One client's reading of a stored response, which may be whole or still coming in: an
 * exchange towards the client, that tells the head, the body piece by piece as the client
 * takes it, and the end. Embedded in its owner, the follower, which frees it later than
 * the turn in which on_over came.
 * States: waiting (for a response to read, or for one of our failures to be told), ready
 * (it has one, and has not begun), reading, over. */
#pragma once

#include "base/state.h"
#include "cache/cache.h"
#include "cache/cache_status.h"
#include "http/exchange.h"
#include "net/loop.h"

#define STORED_READER_STATES(S)                                                                    \
    S(STORED_READER_WAITING, "waiting", TO(STORED_READER_READY) | TO(STORED_READER_OVER))          \
    S(STORED_READER_READY, "ready",                                                                \
      TO(STORED_READER_WAITING) | TO(STORED_READER_READING) | TO(STORED_READER_OVER))              \
    S(STORED_READER_READING, "reading", TO(STORED_READER_OVER))                                    \
    S(STORED_READER_OVER, "over", 0)
STATE_TYPE(stored_reader, STORED_READER_STATES)

struct stored_reader;

/* What its owner is told, and asked. */
struct stored_reader_events {
    /* It ended, failed or was cancelled; nothing comes after this. The client is told
     * right after it. */
    void (*on_over)(struct stored_reader *);
    /* The client took more after a pause, and has been told all that came so far. */
    void (*on_caught_up)(struct stored_reader *);
    enum sent (*sent)(const struct stored_reader *);                   /* see exchange_sent() */
    uint64_t (*patience)(const struct stored_reader *);                /* see exchange_patience() */
    void (*progress)(const struct stored_reader *, struct progress *); /* and exchange_progress() */
};

/* For which request it reads, and from which store. All of it is borrowed, and lives
 * longer than the reader. */
struct stored_reader_order {
    struct loop *loop;
    struct cache *cache;
    struct cache_key place;
    struct cache_policy policy;
    struct arena *arena;         /* of the request */
    struct cache_status *status; /* where it records what part the store had */
    const char *upstream;        /* its name, and the request's id, for the log */
    const struct request_id *id;
};

struct stored_reader {
    struct exchange base;
    enum stored_reader_state state;
    const struct stored_reader_events *events;
    struct stored_reader_order order;
    struct stored_response *last_good; /* an old response, for when the origin fails; a
                                          reference, NULL: none */
    struct stored_response *from;      /* what it reads; a reference, NULL: nothing yet */
    size_t at;                         /* bytes of the body told so far */
    bool no_body;                      /* HEAD, 304: none is told */
    bool chunked;                      /* so trailers can be told */
    bool paused;                       /* by the client */
    struct verdict failure;            /* to be told by the task */
    struct task next;                  /* goes on, later in this turn */
};

void stored_reader_init(struct stored_reader *, const struct stored_reader_order *,
                        const struct stored_reader_events *, const struct exchange_events *,
                        void *client);

/* Looks into the store. True: there is a fresh response, and it reads that. False: the
 * request needs the origin (an old response is kept for the case that the origin fails). */
bool stored_reader_find(struct stored_reader *) MUST_CHECK;

/* Reads an old response in place of the origin's, which has the status `instead_of`, or
 * (0) of a failure of ours. `sent` is what of the request can have reached the origin.
 * False: the store has none, or the client wants none that old. Before it reads. */
bool stored_reader_serve_stale(struct stored_reader *, unsigned instead_of, enum failure,
                               enum sent) MUST_CHECK;

/* Sets what it reads; a reference is taken. With `soon` it begins by itself, later in this
 * turn, unless it is begun before. */
void stored_reader_choose(struct stored_reader *, struct stored_response *, bool soon);

/* Undoes that. Before it reads. */
void stored_reader_put_back(struct stored_reader *);

/* Tells the head, once: `head`, or the one that suits what has been kept. */
void stored_reader_begin(struct stored_reader *, const struct response *head);
void stored_reader_begin_kept(struct stored_reader *);

/* Tells what has come of the body since, and if that is whole, the end. Does nothing while
 * it is not reading, or the client has paused it. */
void stored_reader_read(struct stored_reader *);

/* Tells a piece of the body that stored_response_skip() counted; only to one that takes
 * more (reading, not paused) and has been told all before. */
void stored_reader_pass(struct stored_reader *, const char *data, size_t len);
bool stored_reader_takes_more(const struct stored_reader *);

/* How many bytes of the body it has been told; SIZE_MAX: it wants none of them. */
size_t stored_reader_position(const struct stored_reader *);

/* Tells an interim response; a failure, which is its end; the same later in this turn. */
void stored_reader_interim(struct stored_reader *, const struct response *);
void stored_reader_fail(struct stored_reader *, const struct verdict *);
void stored_reader_fail_soon(struct stored_reader *, const struct verdict *);

/* Gives up what it holds, before it is freed. */
void stored_reader_release(struct stored_reader *);
