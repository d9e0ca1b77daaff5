/* One client's reading of an answer that may be shared: stored before, or still
 * coming in. An exchange; embedded in its owner, which frees it, later than the
 * turn in which on_over came. Waiting (for an answer to read), reading, over. */
#pragma once

#include "cache/cache.h"
#include "cache/cache_status.h"
#include "http/exchange.h"
#include "net/loop.h"

struct reader;

struct reader_events {
    void (*on_over)(struct reader *);    /* ended, failed or cancelled; nothing comes after */
    void (*on_drained)(struct reader *); /* after a pause it has told all there is so far */
    enum sent (*sent)(const struct reader *);
    uint64_t (*patience)(const struct reader *); /* see exchange_patience() */
};

/* What it reads for, and from where. All is borrowed for its life. */
struct reader_order {
    struct loop *loop;
    struct cache *cache;
    struct cache_key place;
    struct cache_policy policy;
    struct arena *arena;       /* of the request */
    struct cache_status *note; /* where it says what part the store had */
};

struct reader {
    struct exchange base;
    const struct reader_events *events;
    struct reader_order order;
    struct stored_response *last_good; /* old, for when the origin fails; a reference, NULL: none */
    struct stored_response *from;      /* what it reads; a reference, NULL: waiting */
    size_t at;                         /* bytes of its body told */
    bool no_body;                      /* HEAD, 304: none is told */
    bool chunked;                      /* trailers can be told */
    bool told, paused, over;
    struct verdict failure;
    struct task next; /* goes on, later in this turn */
};

void reader_init(struct reader *, const struct reader_order *, const struct reader_events *,
                 const struct exchange_events *, void *owner);

/* Looks into the store. True: it reads a fresh answer now. False: it needs the
 * origin (an old answer is kept, if that may serve when the origin fails). */
bool reader_find(struct reader *) MUST_CHECK;

/* Reads an old answer instead of the origin's with that status, or (0) a failure of
 * ours. False: there is none, or the client wants none. */
bool reader_serve_stale(struct reader *, unsigned status, enum failure, enum sent) MUST_CHECK;

/* What it reads; once. A reference is taken. With `soon` it begins by itself, later
 * in this turn; it may be begun before. */
void reader_choose(struct reader *, struct stored_response *, bool soon);

/* Tells the head, once: that one, or the one that fits what is kept. */
void reader_begin(struct reader *, const struct response *head);
void reader_begin_kept(struct reader *);

/* Tells what came of the body since, and if that is whole, the end. */
void reader_read(struct reader *);

/* Passes on a piece that is not kept; only to one that has all and is not paused. */
void reader_pass(struct reader *, const char *data, size_t len);
bool reader_has_all(const struct reader *); /* of what came so far */

void reader_interim(struct reader *, const struct response *);
void reader_fail(struct reader *, const struct verdict *);
void reader_fail_soon(struct reader *, const struct verdict *);

/* It waits again. Only before the head. */
void reader_put_back(struct reader *);

/* Lets go of what it holds, before it is freed. */
void reader_release(struct reader *);
