/* The lines of an order journal (contract 12): one JSON object each, which say that a life of the
 * daemon began, that an order is about to leave, and how it ended. Pure functions and plain values;
 * what they point to is borrowed. */
#pragma once

#include <jansson.h>
#include <time.h>

#include "base/failure.h"
#include "base/request_id.h"
#include "base/text.h"
#include "proxy/record.h"

#define ORDER_TIME_SIZE 28 /* "2026-11-27T09:00:00.123456Z" and a NUL */

/* Remembers the text of the second that it was last asked for, since most lines fall into the
 * second of the one before. Zeros at first. */
struct order_clock {
    int64_t second;
    char text[ORDER_TIME_SIZE]; /* "": nothing is remembered */
};

/* The moment as text, valid until the next call. */
const char *order_clock_text(struct order_clock *, const struct timespec *);

/* An order that is about to leave. */
struct order_begin {
    const struct request_id *id;
    const char *upstream, *bot, *client; /* bot: NULL if there is none */
    struct span method, target;          /* target: secrets redacted */
    struct span ids;    /* a JSON object with the client's own ids of it; empty: none was found */
    const char *digest; /* in hex; NULL: it has none */
};

/* How an order ended. */
struct order_end {
    const struct request_id *id;
    enum sent sent;
    unsigned status; /* of the response, or of the error that the client got; 0: neither */
    enum failure error;
    bool left, unknown; /* as in struct record */
    uint64_t total_us;
};

/* A copy of another order says what is true of that one, but has not left itself. */
struct order_end order_end_of(const struct record *, const struct request_id *);

/* Append the line, with its "\n". `time` is that of order_clock_text(). */
void order_line_start(struct text *, const char *time, const char *life);
void order_line_begin(struct text *, const char *time, const struct order_begin *);
void order_line_end(struct text *, const char *time, const struct order_end *);

enum order_line_kind { ORDER_LINE_FOREIGN, ORDER_LINE_START, ORDER_LINE_BEGIN, ORDER_LINE_END };

/* A line as it was read. */
struct order_line {
    enum order_line_kind kind;
    int64_t at_us;  /* since 1970 */
    const char *id; /* of a begin or an end: of request_id's form; within `object` */
    json_t *object; /* NULL: foreign */
};

/* Reads a line (without "\n"): any bytes. What is not a line of a journal is foreign. To be cleared
 * in the end. */
void order_line_read(struct order_line *, struct span line);
void order_line_clear(struct order_line *);
