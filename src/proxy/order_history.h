/* What order journals tell of the orders in them: the begin and the end of each are paired, over
 * lives of the daemon and over rotated files, and what is not decided yet is told apart from what
 * never will be. Owned by its reader: the command `orders`, or the daemon at its start. It is being
 * filled, then looked at. Its memory is bounded by the number of orders that are kept. */
#pragma once

#include "base/failure.h"
#include "base/request_id.h"

struct order_history;

/* OPEN: it has no end, and its daemon still runs. UNKNOWN: it has none and never will; or its end
 * says that its fate is unknown. KNOWN: it was answered, or not sent. */
enum order_fate { ORDER_OPEN, ORDER_UNKNOWN, ORDER_KNOWN };

const char *order_fate_name(enum order_fate); /* "open", "unknown", "known" */

/* One order. Texts are "" where the journal has null. Times in microseconds since 1970. */
struct order_past {
    enum order_fate fate;
    int64_t began_us, ended_us; /* ended_us 0: it has no end, and what follows says nothing */
    enum sent sent;
    unsigned status; /* 0: none */
    bool left;
    double total_ms;
    const char *id, *upstream, *bot, *client, *method, *target;
    const char *ids;    /* order_ids, a JSON object */
    const char *digest; /* in hex */
    const char *error;  /* of its end */
};

#define ORDER_ERROR_SIZE 48

struct order_line;

/* Notes how it ended, as its end line says; `error` is what its own points to. */
void order_past_end(struct order_past *, char error[ORDER_ERROR_SIZE], const struct order_line *);

/* What is kept. */
struct order_wish {
    int64_t since_us;     /* orders that began earlier are left out; 0: none is */
    const char *upstream; /* only those to this one; NULL: to any. Borrowed */
    bool undecided;       /* only those that are open or unknown */
    size_t most;          /* so many at most, the newest; 0: all */
};

struct order_history *order_history_new(const struct order_wish *);

/* Adds what a file has; rotated files go before those that came after them. With `since_us` it is
 * read from the place on where lines of that time begin, found from its end. False, with a message:
 * it cannot be read. */
bool order_history_read(struct order_history *, const char *path, char *error,
                        size_t size) MUST_CHECK;

/* When the first line of a file was written; INT64_MAX: it has none. Files given in any order are
 * sorted by it. */
int64_t order_history_begins(const char *path);

/* Tells of all orders that are kept, in the order in which they began. Borrowed until it returns. */
typedef void order_history_listener(void *context, const struct order_past *);
void order_history_each(struct order_history *, order_history_listener *, void *context);

/* Lines that were no line of a journal: damaged, cut off, or written by something else. */
uint64_t order_history_foreign(const struct order_history *);

void order_history_free(struct order_history *);
