/* An HTTP/2 line over a fake stream, its origin (a scripted nghttp2 server session in memory), and
 * its recorders, for check_h2_*.c. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "fake_stream.h"
#include "protocol/h2_conn.h"
#include "recorder.h"

#define RECORDERS 120
#define HEADER_LIMIT 400

extern struct loop *loop;
extern struct fake_stream stream;
extern struct conn *conn;
extern struct conn_traffic traffic;
extern struct text line_heard; /* room, full, gone:why */
extern struct text heard[RECORDERS];
extern struct recorder recorders[RECORDERS];
extern nghttp2_session *origin;
extern struct text seen; /* what the origin received */
extern bool deaf;        /* the origin reads, but does not respond by itself */

void allow(uint32_t streams);

/* Passes the bytes that the fake kernel has accepted to the origin. */
bool to_origin(void);
bool from_origin(void);

/* Exchanges bytes until neither side has anything to send. */
void pump(void);

/* "200" or fields as ":status=200;a=b;"; then the loop turns. */
void say_head(int32_t id, const char *fields, bool is_last);

/* Sends one piece at a time; bytes that the windows hold back are sent later. */
void say_bytes(int32_t id, const char *at, size_t len, bool is_last);

/* How many of those bytes the windows still hold back. */
size_t kept_back(void);
void say(int32_t id, const char *text, bool is_last);
void answer(int32_t id);
void reset(int32_t id, uint32_t code);
void leave(int32_t last, uint32_t code);

/* Sends a frame as raw bytes, bypassing the checks of nghttp2. */
void say_frame(uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len);
void begin(void);
void line_is(const char *expected);
void seen_is(const char *expected);

/* Opens a line whose origin's settings are known. */
void meet(void);
void heard_is(size_t i, const char *expected);
void finish(void);
struct conn_request request(const char *method, enum framing framing, uint64_t length);
void open_as(size_t i, const struct conn_request *r);

/* The i-th recorder's request has the id 2i + 1. */
void ask(size_t i, const char *method);
void ask_all(size_t count);
void post(size_t i, enum framing framing, uint64_t length);
