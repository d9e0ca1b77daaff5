#include "client_fixture.h"

#include <check.h>
#include <stdio.h>

struct loop *loop;
struct lingering *linger;
struct clients *clients;
struct fake_handler handler;
struct fake_stream stream;
const struct client_limits limits = {.max_clients = 2,
                                     .header_timeout_ms = 10000,
                                     .idle_timeout_ms = 600000,
                                     .body_timeout_ms = 30000,
                                     .max_header_size = 4096,
                                     .max_uri_size = 1024};
const struct ingress ingress = {.is_loopback = true, .port = 8642, .client = "127.0.0.1:9"};

void begin(void)
{
    loop = loop_new();
    loop_hold(loop);
    linger = linger_new(loop);
    fake_handler_init(&handler, loop);
    clients = clients_new(loop, linger, &handler.handler, &limits);
    fake_stream_init(&stream);
    clients_accept(clients, &stream.base, &ingress);
}

void begin_echo(void)
{
    begin();
    handler.echo = true;
}

void finish(void)
{
    clients_free(clients);
    linger_free(linger);
    loop_turn(loop, false);
    fake_handler_free(&handler);
    fake_stream_free(&stream);
    loop_free(loop);
}

void turn(void)
{
    loop_turn(loop, false);
}

void say(const char *text)
{
    ck_assert(fake_stream_feed(&stream, text, strlen(text)));
    turn();
}

const char *got(void)
{
    return stream.written.len ? stream.written.at : "";
}

bool has(const char *part)
{
    return strstr(got(), part) != NULL;
}

void forget(void)
{
    text_clear(&stream.written);
    stream.writes = 0;
}

bool is_open(void)
{
    size_t open;
    uint64_t accepted, rejected;
    clients_count(clients, &open, &accepted, &rejected);
    return open == 1;
}
