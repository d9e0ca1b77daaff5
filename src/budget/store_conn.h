/* One connection to the store of budgets: dials, makes the TLS handshake for rediss://, logs in and
 * chooses the database; then sends commands and reports replies in their order. Owned by its
 * opener, until store_conn_close(). It is dialling, securing (TLS), greeting (login), ready, or
 * ended, when it has reported why and may only be closed. */
#pragma once

#include "base/text.h"
#include "budget/store_reply.h"
#include "config/config.h"
#include "net/dns.h"
#include "net/tls_context.h"
#include "net/worker.h"

#define STORE_WHY_SIZE 200

struct store_conn;

/* None of them comes from inside a call of store_conn_open() or store_conn_send(). */
struct store_conn_events {
    void (*on_ready)(void *owner);
    void (*on_reply)(void *owner, const struct store_reply *); /* borrowed until it returns */
    void (*on_end)(void *owner, const char *why);              /* once; nothing follows */
};

/* What it needs of its daemon; outlives it. */
struct store_env {
    struct loop *loop;
    struct dns *dns;
    struct worker *worker;
};

/* Opens one to the budget_store of that configuration; references to it and to `tls` (NULL: no TLS)
 * are taken. */
struct store_conn *store_conn_open(const struct store_env *, struct config *,
                                   struct tls_context *tls, const struct store_conn_events *,
                                   void *owner);

/* Sends whole commands, once it is ready. */
void store_conn_send(struct store_conn *, struct span commands);
void store_conn_close(struct store_conn *);

/* An error of the store in words for the log: what it means where that is known, without anything
 * that could be a part of the login. */
void store_error_words(struct span error, char words[STORE_WHY_SIZE]);
