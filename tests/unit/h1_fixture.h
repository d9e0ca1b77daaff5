/* A line over a fake stream, its recorder, and the recorded events, for check_h1_conn.c. */
#pragma once

#include "fake_stream.h"
#include "protocol/h1_conn.h"
#include "recorder.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define OK_HEARD "head 200 OK Content-Length=2; body(hi)"

extern struct fake_stream stream;
extern struct conn *conn;
extern struct conn_traffic traffic;
extern struct text heard;
extern struct recorder recorder;
extern bool closes_when_gone;

void begin(void);
void finish(void);
void turn(void);
struct conn_request request(const char *method, enum framing framing, uint64_t length);
void ask(const char *method);
void post(enum framing framing, uint64_t length);
void feed(const char *text);
