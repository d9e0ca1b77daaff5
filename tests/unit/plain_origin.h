/* An origin that speaks plain HTTP on a loopback port of the test's own loop. It
 * says what the test tells it to, at once for each request or when told.
 * Owned by the test; end it, then let the loop run, before the loop is freed. */
#pragma once

#include "base/text.h"
#include "net/loop.h"

#define ORIGIN_LINES 64

enum origin_manner {
    ORIGIN_WAITS,   /* for the test */
    ORIGIN_ANSWERS, /* `answer` to each request, when its head and body are there */
    ORIGIN_CLOSES,  /* says `answer`, which may be empty, and closes */
    ORIGIN_RESETS   /* likewise, with a reset */
};

struct origin_line {
    struct plain_origin *origin;
    struct stream *stream; /* NULL: closed */
    struct text got;       /* of the present request */
};

struct plain_origin {
    struct loop *loop;
    uv_tcp_t listener;
    bool refuses;
    uint16_t port;
    enum origin_manner manner;
    const char *answer;
    struct origin_line lines[ORIGIN_LINES]; /* in the order of accepting, round about */
    unsigned accepted, requests;
    struct text last; /* the last request that was whole, or what came of it */
};

void plain_origin_start(struct plain_origin *, struct loop *);
void plain_origin_end(struct plain_origin *);

/* Whoever connects from now on is refused. */
void plain_origin_refuse(struct plain_origin *);

/* On the line accepted as the n-th. */
void plain_origin_say(struct plain_origin *, unsigned n, const char *text);
void plain_origin_close(struct plain_origin *, unsigned n, bool reset);
