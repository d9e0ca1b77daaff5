/* An origin that speaks plain HTTP on a loopback port of the test's own loop. It responds as the
 * test determines, to each request at once or when the test says so. Owned by the test; end it,
 * then let the loop run, before the loop is freed. */
#pragma once

#include "base/text.h"
#include "net/loop.h"

#define ORIGIN_LINES 64

enum origin_manner {
    ORIGIN_WAITS,   /* until the test responds */
    ORIGIN_ANSWERS, /* sends `answer` for each request whose head and body have arrived */
    ORIGIN_CLOSES,  /* sends `answer`, which may be empty, and closes the connection */
    ORIGIN_RESETS   /* likewise, but resets the connection */
};

struct origin_line {
    struct plain_origin *origin;
    struct stream *stream; /* NULL: the line is closed */
    struct text got;       /* what has arrived of the present request */
};

struct plain_origin {
    struct loop *loop;
    uv_tcp_t listener;
    bool refuses;
    uint16_t port;
    enum origin_manner manner;
    const char *answer;
    struct origin_line lines[ORIGIN_LINES]; /* as accepted; slots are reused in turn */
    unsigned accepted, requests;
    struct text last;                        /* the most recent request, as far as it has arrived */
    void (*on_request)(const char *request); /* each one, once it is whole; NULL: nothing */
};

void plain_origin_start(struct plain_origin *, struct loop *);
void plain_origin_end(struct plain_origin *);

/* From now on, refuses all connections. */
void plain_origin_refuse(struct plain_origin *);

/* These apply to the n-th line that was accepted. */
void plain_origin_say(struct plain_origin *, unsigned n, const char *text);
void plain_origin_close(struct plain_origin *, unsigned n, bool reset);
