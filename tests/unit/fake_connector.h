/* A connector whose dials and lines the test controls. Its pool owns it, as it would own a real
 * connector; the test uses it only while the pool lives. The addresses of its lines are 192.0.2.1
 * with increasing ports, for is_gone. */
#pragma once

#include "net/loop.h"
#include "upstream/connector.h"

struct fake_connector {
    struct connector base;
    struct list dials; /* oldest first */
    struct list lines; /* established ones, oldest first */
    unsigned started, cancelled, opened, closed;
    unsigned gone_below; /* addresses with a lower port are gone from DNS */
    void *watcher;
    enum config_http2 offered; /* by the most recent dial */
    bool *freed;               /* set to true when the pool frees the connector */
};

#define FAKE_STREAMS 100

struct fake_conn {
    struct conn base;
    struct link link;
    struct fake_connector *connector;
    struct fake_exchange {
        struct exchange base;
        struct fake_conn *conn;
    } exchanges[FAKE_STREAMS];
    size_t begun, load;
    bool gone, unquiet;
    unsigned number; /* from 1, in the order of connecting */
};

struct fake_connector *fake_connector_new(bool *freed);

/* The oldest dial in progress succeeds or fails. */
struct fake_conn *fake_connect(struct fake_connector *);
struct fake_conn *fake_connect_shared(struct fake_connector *, size_t allowed);
void fake_refuse(struct fake_connector *, enum failure);

/* The connection of an exchange that line_open() returned; the n-th open connection. */
struct fake_conn *fake_conn_of(struct exchange *);
struct fake_conn *fake_conn_at(struct fake_connector *, size_t n);

/* From now on the origin allows this many exchanges at once; the connection is in doubt, or is so
 * no longer. */
void fake_conn_allow(struct fake_conn *, size_t);
void fake_conn_doubt(struct fake_conn *, bool);

/* An exchange ends and leaves its connection reusable; or the connection is gone (and must not be
 * used after that). */
void fake_conn_room(struct fake_conn *);
void fake_conn_gone(struct fake_conn *, enum close_reason);
