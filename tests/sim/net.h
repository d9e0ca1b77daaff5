/* The simulated network: TCP connections between a descriptor of the daemon and an actor of the
 * script (or none), with what Linux makes of them: a send buffer, bytes under way, a receive buffer,
 * FIN, RST, half-closes. An `end` is one side of a connection; it is owned by its descriptor or by
 * its actor until end_close(). It is connecting, open, reset or closed. Nothing here calls the
 * daemon; actors are called by events of the world. */
#pragma once

#include <sys/types.h>

#include "tests/sim/world.h"

struct end;

/* What an actor hears. on_data is called again whenever there is more, unless it is paused. */
struct end_events {
    void (*on_open)(void *owner); /* end_dial() succeeded */
    void (*on_data)(void *owner, const char *data, size_t len);
    void (*on_end)(void *owner, bool reset); /* once: FIN after all bytes, RST, or refused */
};

/* How a connection behaves. All are drawn when it begins. */
struct net_nature {
    uint32_t delay_us, jitter_us;   /* of each segment */
    size_t send_room, receive_room; /* of the kernel's buffers */
    bool is_cut;                    /* segments are cut at random places */
};

struct net_nature net_nature_draw(struct dice *);

/* An origin's socket: on_accept takes the end, or returns false to refuse (RST). */
struct net_listener {
    uint32_t address; /* host order */
    uint16_t port;
    bool (*on_accept)(void *owner, struct end *);
    void *owner;
    bool is_deaf; /* answers no SYN at all */
    bool refuses; /* RST to each */
    struct net_listener *next;
};

void net_listen(struct net_listener *);

/* From the daemon's side: an end that is connecting to this address. */
struct end *net_dial(uint32_t address, uint16_t port, uint32_t source); /* 0: any address */
struct net_listener *net_listener_at(uint32_t address, uint16_t port);  /* NULL: none */

/* From an actor's side, to a socket of the daemon's: NULL if it does not listen there. */
struct end *end_dial(uint16_t port, const struct end_events *, void *owner);
void end_bind(struct end *, const struct end_events *, void *owner);

/* As send(2), recv(2), shutdown(2) and close(2): a negative errno. */
ssize_t end_send(struct end *, const void *data, size_t len);
ssize_t end_receive(struct end *, void *to, size_t len, bool peek);
int end_shutdown(struct end *);
void end_close(struct end *, bool reset);
int end_take_error(struct end *); /* as SO_ERROR */

/* EPOLL… that are so now. */
uint32_t end_readiness(const struct end *);

/* An actor that reads nothing more, and one that reads again. */
void end_pause(struct end *, bool paused);

/* Nothing more arrives at this end until the network is well again: then all of it does. */
void end_hold_up(struct end *, bool held);

/* Nothing that is sent arrives any more, in either direction. */
void end_black_hole(struct end *);
bool end_is_open(const struct end *);

/* How many bytes the other side has read so far; not those that it read after its own last byte,
 * which it only throws away. */
uint64_t end_peer_has_read(const struct end *);
/* Calls reached(owner) once, when the other side has read so many bytes, in the same sense. */
void end_mark(struct end *, uint64_t bytes, void (*reached)(void *owner), void *owner);
uint64_t end_peer_sent(const struct end *);
uint64_t end_sent(const struct end *);    /* bytes that end_send() took */
unsigned end_number(const struct end *);  /* the connection's, from 1 */
uint32_t end_address(const struct end *); /* the actor's side */
uint16_t end_port(const struct end *);
uint32_t end_source(const struct end *); /* from which it was dialled; 0: any */
