/* A store of budgets as far as its client can see one: it listens on loopback in the test's own
 * loop, reads commands, and answers as the test says, at once or when it is told to. Owned by the
 * test; end it, then let the loop run, before the loop is freed. */
#pragma once

#include "base/text.h"
#include "config/config.h"
#include "net/loop.h"

struct store_peer {
    struct loop *loop;
    uv_tcp_t listener;
    bool refuses;
    uint16_t port;
    struct stream *stream; /* the connection; NULL: none */
    unsigned accepted;
    const char *login;  /* the reply to each command of the login; NULL: none */
    const char *answer; /* the reply to any other command; NULL: none until the test says one */
    struct text got, logins; /* bytes that make no command yet; the login's words, "; " behind each
                                command */
    unsigned asked;          /* other commands so far */
    struct text last;        /* the words of the latest one, each with a space before it */
};

void store_peer_start(struct store_peer *, struct loop *);
void store_peer_end(struct store_peer *);

/* From now on, refuses all connections. */
void store_peer_refuse(struct store_peer *);

/* On the connection that there is. */
void store_peer_say(struct store_peer *, const char *text);
void store_peer_close(struct store_peer *, bool reset);

/* A configuration with this store, "redis://LOGIN127.0.0.1:PORT/PATH", and further directives. */
struct config *store_peer_config(const struct store_peer *, const char *login, const char *path,
                                 const char *directives);
