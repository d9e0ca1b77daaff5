/* One client connection over a fake stream, with a fake handler: what the test
 * programs of the client side share. Each includes it once. */
#pragma once

#include <check.h>
#include <stdio.h>

#include "fake_handler.h"
#include "fake_stream.h"
#include "front/clients.h"

static struct loop *loop;
static struct lingering *linger;
static struct clients *clients;
static struct fake_handler handler;
static struct fake_stream stream;
static const struct client_limits limits = {.max_clients = 2,
                                            .header_timeout_ms = 10000,
                                            .idle_timeout_ms = 600000,
                                            .body_timeout_ms = 30000,
                                            .max_header_size = 4096,
                                            .max_uri_size = 1024};
static const struct ingress ingress = {.is_loopback = true, .port = 8642, .client = "127.0.0.1:9"};

static inline void begin(void)
{
    loop = loop_new();
    loop_hold(loop);
    linger = linger_new(loop);
    fake_handler_init(&handler, loop);
    clients = clients_new(loop, linger, &handler.handler, &limits);
    fake_stream_init(&stream);
    clients_accept(clients, &stream.base, &ingress);
}

static inline void begin_echo(void)
{
    begin();
    handler.echo = true;
}

static inline void finish(void)
{
    clients_free(clients);
    linger_free(linger);
    loop_turn(loop, false);
    fake_handler_free(&handler);
    fake_stream_free(&stream);
    loop_free(loop);
}

static inline void turn(void)
{
    loop_turn(loop, false);
}

static inline void say(const char *text)
{
    ck_assert(fake_stream_feed(&stream, text, strlen(text)));
    turn();
}

static inline const char *got(void)
{
    return stream.written.len ? stream.written.at : "";
}

static inline bool has(const char *part)
{
    return strstr(got(), part) != NULL;
}

static inline void forget(void)
{
    text_clear(&stream.written);
    stream.writes = 0;
}

static inline bool is_open(void)
{
    size_t open;
    uint64_t accepted, rejected;
    clients_count(clients, &open, &accepted, &rejected);
    return open == 1;
}

/* What an answer says on a connection that is kept. */
#define KEPT "Connection: keep-alive\r\nKeep-Alive: timeout=600\r\n"

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
