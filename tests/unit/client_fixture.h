/* One client connection over a fake stream, with a fake handler, shared by the test programs for
 * the client side. Each program includes this header in one file. */
#pragma once

#include "fake_handler.h"
#include "fake_stream.h"
#include "front/clients.h"

extern struct loop *loop;
extern struct lingering *linger;
extern struct clients *clients;
extern struct fake_handler handler;
extern struct fake_stream stream;
extern const struct client_limits limits;
extern const struct ingress ingress;

void begin(void);
void begin_echo(void);
void finish(void);
void turn(void);
void say(const char *text);
const char *got(void);
bool has(const char *part);
void forget(void);
bool is_open(void);

/* The header fields of a response on a connection that stays open. */
#define KEPT "Connection: keep-alive\r\nKeep-Alive: timeout=600\r\n"

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
