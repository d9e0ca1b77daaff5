/* Origins, lines and their recorded events, for check_stream_tls.c: real TLS servers in a child
 * process, a tap between TLS and TCP, and the events of each line. */
#pragma once

#include "base/text.h"
#include "net/stream_tls.h"
#include "net/stream_uv.h"
#include "net/tls_session.h"
#include "stopwatch.h"
#include "until.h"

struct origin {
    char name[32];
    int port;
};

extern struct origin origins[40];

void start_origins(void);
void stop_origins(void);
const char *file(const char *name);

struct tap {
    struct stream base;
    struct stream *inner;
    size_t writes;
    bool is_dead; /* accepts no bytes */
    bool holds;   /* passes no bytes up: see tap_pass() */
    struct text held;
};

/* Passes up one of the bytes held back. */
void tap_pass(struct tap *t, size_t at);

struct line {
    struct tap tap;
    const char *name;
    struct stream *tls;
    bool secured, failed, ended, is_closed, closes_inside, pauses_inside, closes_when_secured;
    struct tls_report report;
    char version[16], alpn[16], detail[256], why[256];
    enum failure failure;
    enum stream_end how;
    size_t pauses, drains, got;
    uint64_t sum;
    char first[64]; /* of the bytes received */
};

extern struct loop *loop;
extern struct tls_context *context;

void close_line(struct line *l);

/* Dials; returns once the handshake has begun. */
void begin(struct line *l, const char *origin, const char *name);
void open_line(struct line *l, const char *origin, const char *name);
void must_open(struct line *l, const char *origin);
void must_fail(const char *origin, const char *name, enum failure why, const char *words);
void say(struct line *l, const char *text);
void use_context(struct tls_settings settings);
void set_up(void);
void tear_down(void);
