/* A connector whose dials and lines the test drives. It belongs to its pool, as
 * a real one does; the test looks at it only while the pool lives. Its lines'
 * addresses are 192.0.2.1 with ports counted up, for is_gone. */
#pragma once

#include "net/loop.h"
#include "upstream/connector.h"

struct fake_connector {
    struct connector base;
    struct list dials; /* oldest first */
    struct list lines; /* established ones, oldest first */
    unsigned started, cancelled, opened, closed;
    unsigned gone_below; /* addresses with a port below are gone from DNS */
    void *watcher;
    enum config_http2 offered; /* by the latest dial */
    bool *freed;               /* set when the pool frees it */
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

/* The oldest dial under way succeeds, or fails. */
struct fake_conn *fake_connect(struct fake_connector *);
struct fake_conn *fake_connect_shared(struct fake_connector *, size_t allowed);
void fake_refuse(struct fake_connector *, enum failure);

/* The conn of an exchange that line_open() gave; the n-th that is open. */
struct fake_conn *fake_conn_of(struct exchange *);
struct fake_conn *fake_conn_at(struct fake_connector *, size_t n);

/* The origin allows so many at once from now on; it is in doubt, or no more. */
void fake_conn_allow(struct fake_conn *, size_t);
void fake_conn_doubt(struct fake_conn *, bool);

/* An exchange ends and leaves it clean; or it is gone (then do not touch it). */
void fake_conn_room(struct fake_conn *);
void fake_conn_gone(struct fake_conn *, enum close_reason);
