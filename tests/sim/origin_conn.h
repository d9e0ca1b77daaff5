/* One connection of an origin: bytes in and out, with the simulated TLS where there is one, and the
 * protocol over it. Owned by itself; its memory stays until the process ends. It is greeting, open or
 * over. */
#pragma once

#include "base/text.h"
#include "tests/sim/origin.h"

struct origin_conn;

/* A protocol: h1 or h2. */
struct origin_protocol {
    void (*begin)(struct origin_conn *);
    void (*bytes)(struct origin_conn *, const char *data, size_t len);
    void (*end)(struct origin_conn *); /* the daemon will send no more */
};

struct origin_conn {
    struct origin_conn *next;
    struct origin *origin;
    struct end *end;
    struct dice dice;
    unsigned number;
    const struct origin_protocol *protocol;
    void *state; /* the protocol's */
    bool greeted, over, finishes, flushes, is_deaf;
    struct text in;  /* of a record that is not whole */
    struct text out; /* what the kernel has not taken */
    uint64_t active_us;
};

extern const struct origin_protocol origin_h1, origin_h2;

void origin_write(struct origin_conn *, const void *data, size_t len);
uint64_t origin_written(const struct origin_conn *); /* bytes, records included, so far */

/* Ends it: after what was written; at once by RST; by nothing arriving any more; or it only stops
 * to read. */
void origin_finish(struct origin_conn *);
void origin_break(struct origin_conn *);
void origin_vanish(struct origin_conn *);
void origin_go_deaf(struct origin_conn *);
void origin_touch(struct origin_conn *); /* it is not idle */

/* Calls run(owner) after the time that this origin takes to answer. */
void origin_later(struct origin_conn *, void (*run)(void *owner), void *owner);
