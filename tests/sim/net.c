#include "tests/sim/net.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "tests/sim/kernel.h"

#define HELD_ROOM 700
#define REQUEST_LEAST 40
#define DEAD_US 7500000 /* total_timeout, the doubt's 2 s, and the time of a busy machine */

/* One direction, from the end that sends to the other. */
struct way {
    char *under_way; /* accepted by the sender's kernel, not yet with the receiver's */
    size_t under_way_len, under_way_room;
    char *unread;
    size_t unread_len, unread_room;
    uint64_t sent, read, read_before; /* before: its reader would send no more */
    bool fin, fin_arrived, is_scheduled;
};

struct mark {
    struct mark *next;
    uint64_t at;
    void (*reached)(void *owner);
    void *owner;
};

struct end {
    struct conn *conn;
    int side;
    const struct end_events *events; /* an actor's; NULL: a descriptor's, or nobody's yet */
    void *owner;
    bool connecting, open, closed, was_reset, paused, end_told, tells, held_up;
    int error;
    struct way out;
    struct mark *marks; /* see end_mark() */
};

struct conn {
    unsigned number;
    struct end ends[2]; /* 0: the side that dialled */
    struct net_nature nature;
    struct dice dice;
    uint32_t address, source;
    uint16_t port;
    bool is_black_hole;
    uint64_t lost_us;        /* when the daemon first sent something that was lost so */
    struct net_listener *to; /* an origin's */
};

static struct net_listener *listeners;
static unsigned numbers;

static struct end *other(const struct end *e)
{
    return &e->conn->ends[1 - e->side];
}

struct net_nature net_nature_draw(struct dice *d)
{
    static const size_t small[] = {60, 700, 3000, 16384, 65536};
    struct net_nature n = {.delay_us = dice_between(d, 20, 300), .send_room = 200000};
    bool is_far = dice_chance(d, 15);
    if (is_far)
        n.delay_us = dice_between(d, 5000, 60000);
    n.jitter_us = dice_chance(d, 50) ? n.delay_us : 0;
    if (!is_far && dice_chance(d, 25))
        n.send_room = small[dice_draw(d, COUNT_OF(small))];
    n.receive_room = !is_far && dice_chance(d, 12) ? 200 + dice_draw(d, 3000) : 200000;
    n.is_cut = dice_chance(d, 30);
    return n;
}

/* ------------------------------------------------------------------- what an actor hears */

static void tell_now(void *owner);

static void tell(struct end *e)
{
    if (e->events == NULL || e->tells || e->closed)
        return;
    e->tells = true;
    world_in(0, tell_now, e);
}

static void tell_end(struct end *e, bool reset)
{
    if (e->end_told)
        return;
    e->end_told = true;
    e->events->on_end(e->owner, reset);
}

static void tell_now(void *owner)
{
    struct end *e = owner;
    char bytes[4096];
    e->tells = false;
    while (!e->closed && !e->paused) {
        ssize_t n = end_receive(e, bytes, sizeof bytes, false);
        if (n > 0)
            e->events->on_data(e->owner, bytes, (size_t)n);
        else if (n == -EAGAIN)
            return;
        else {
            tell_end(e, n < 0);
            return;
        }
    }
}

void end_bind(struct end *e, const struct end_events *events, void *owner)
{
    e->events = events;
    e->owner = owner;
    tell(e);
}

void end_pause(struct end *e, bool paused)
{
    e->paused = paused;
    if (!paused)
        tell(e);
}

/* ---------------------------------------------------------------------------- segments */

static void arrive(void *owner);

static uint64_t delay_of(struct conn *c)
{
    return c->nature.delay_us + dice_draw(&c->dice, c->nature.jitter_us + 1);
}

static void schedule(struct end *from)
{
    struct way *w = &from->out;
    struct end *to = other(from);
    if (w->is_scheduled || from->conn->is_black_hole || from->was_reset || !to->open || to->held_up)
        return;
    size_t room = to->conn->nature.receive_room > w->unread_len
                      ? to->conn->nature.receive_room - w->unread_len
                      : 0;
    bool bytes = w->under_way_len && (room || to->closed);
    bool fin = w->fin && !w->fin_arrived && w->under_way_len == 0;
    if (!bytes && !fin)
        return;
    w->is_scheduled = true;
    world_in(delay_of(from->conn), arrive, from);
}

static void make_reset(struct end *e)
{
    if (e->was_reset)
        return;
    e->was_reset = true;
    e->error = e->connecting ? ECONNREFUSED : ECONNRESET;
    e->out.under_way_len = 0;
    if (!e->closed)
        world_say("connection %u: the %s is reset", e->conn->number,
                  e->events ? "script" : "daemon");
    tell(e);
}

static void reset_arrives(void *owner)
{
    struct end *e = owner;
    if (!e->conn->is_black_hole)
        make_reset(e);
}

static void send_reset(struct end *to)
{
    world_in(delay_of(to->conn), reset_arrives, to);
}

static void append(char **at, size_t *len, size_t *room, const char *data, size_t n)
{
    if (*len + n > *room) {
        *room = 2 * (*len + n);
        *at = must_realloc(*at, *room);
    }
    memcpy(*at + *len, data, n);
    *len += n;
}

static void take_off(char *at, size_t *len, size_t n)
{
    memmove(at, at + n, *len - n);
    *len -= n;
}

static size_t cut(struct conn *c, size_t n)
{
    return n > 1 && c->nature.is_cut && dice_chance(&c->dice, 60)
               ? 1 + dice_draw(&c->dice, (uint32_t)n)
               : n;
}

static void arrive(void *owner)
{
    struct end *from = owner, *to = other(from);
    struct way *w = &from->out;
    w->is_scheduled = false;
    if (from->conn->is_black_hole || from->was_reset || to->held_up)
        return;
    if (to->closed && w->under_way_len) { /* its kernel answers with RST */
        w->under_way_len = 0;
        send_reset(from);
        return;
    }
    size_t room = to->conn->nature.receive_room > w->unread_len
                      ? to->conn->nature.receive_room - w->unread_len
                      : 0;
    size_t n = w->under_way_len < room ? w->under_way_len : room;
    n = cut(from->conn, n);
    append(&w->unread, &w->unread_len, &w->unread_room, w->under_way, n);
    take_off(w->under_way, &w->under_way_len, n);
    if (w->fin && w->under_way_len == 0 && (n == 0 || dice_chance(&from->conn->dice, 70)))
        w->fin_arrived = true;
    tell(to);
    schedule(from);
}

/* -------------------------------------------------------------------------- operations */

/* A connection on which nothing comes any more is found to be dead, and then carries no more
 * requests: in 2 s after the first of them was given up (PINGs are smaller). */
static void look_dead(struct conn *c, size_t len)
{
    if (c->lost_us == 0)
        c->lost_us = world_us();
    if (len >= REQUEST_LEAST && world_us() - c->lost_us > DEAD_US)
        world_fault("dead line",
                    "%zu bytes are sent on connection %u, %.1f s after the first that were lost",
                    len, c->number, (double)(world_us() - c->lost_us) / 1e6);
}

ssize_t end_send(struct end *e, const void *data, size_t len)
{
    struct way *w = &e->out;
    if (e->error) {
        int error = e->error;
        e->error = e->events ? error : 0; /* an actor is told of its end by on_end() only */
        return -error;
    }
    if (e->was_reset || w->fin)
        return -EPIPE;
    if (e->connecting)
        return -EAGAIN;
    size_t room = e->conn->nature.send_room > w->under_way_len
                      ? e->conn->nature.send_room - w->under_way_len
                      : 0;
    size_t n = len < room ? len : room;
    if (n == 0)
        return len ? -EAGAIN : 0;
    append(&w->under_way, &w->under_way_len, &w->under_way_room, data, n);
    w->sent += n;
    if (e->conn->is_black_hole && e->events == NULL)
        look_dead(e->conn, len);
    schedule(e);
    return (ssize_t)n;
}

/* What a side reads after its own last byte it throws away: it has not read that. */
static void look_marks(struct end *e)
{
    if (other(e)->out.fin)
        return;
    for (struct mark **at = &e->marks, *m; (m = *at);) {
        if (e->out.read < m->at) {
            at = &m->next;
            continue;
        }
        *at = m->next;
        m->reached(m->owner);
        free(m);
    }
}

void end_mark(struct end *e, uint64_t bytes, void (*reached)(void *owner), void *owner)
{
    struct mark *m = NEW(struct mark);
    *m = (struct mark){e->marks, bytes, reached, owner};
    e->marks = m;
}

ssize_t end_receive(struct end *e, void *to, size_t len, bool peek)
{
    struct way *w = &other(e)->out;
    size_t n = w->unread_len < len ? w->unread_len : len;
    if (n) {
        memcpy(to, w->unread, n);
        if (peek)
            return (ssize_t)n;
        take_off(w->unread, &w->unread_len, n);
        w->read += n;
        look_marks(other(e));
        schedule(other(e));
        return (ssize_t)n;
    }
    if (e->error) {
        int error = e->error;
        e->error = peek ? e->error : 0;
        return -error;
    }
    return w->fin_arrived || e->was_reset ? 0 : -EAGAIN;
}

int end_take_error(struct end *e)
{
    int error = e->error;
    e->error = 0;
    return error;
}

static void note_last(struct end *e)
{
    if (!e->out.fin)
        other(e)->out.read_before = other(e)->out.read;
}

int end_shutdown(struct end *e)
{
    if (e->was_reset || e->connecting)
        return -ENOTCONN;
    note_last(e);
    e->out.fin = true;
    schedule(e);
    return 0;
}

/* What is left unread makes the kernel send RST (RFC 2525 2.17). Events that are on their way
 * still refer to the connection, so that it stays until the process of this seed ends. */
void end_close(struct end *e, bool reset)
{
    struct end *peer = other(e);
    if (e->closed)
        return;
    e->closed = true;
    note_last(e);
    if (e->connecting || e->was_reset)
        return;
    bool loses = reset || peer->out.unread_len > 0;
    if (!loses) {
        e->out.fin = true;
        schedule(e);
        schedule(peer);
        return;
    }
    /* A reset overtakes what its own kernel still has; what is under way may arrive before. */
    e->out.fin = e->out.fin_arrived; /* FIN does not come without what was before it */
    if (dice_chance(&e->conn->dice, 50))
        e->out.under_way_len = 0;
    e->out.is_scheduled = true;
    if (e->out.under_way_len && !peer->closed && !e->conn->is_black_hole) {
        append(&e->out.unread, &e->out.unread_len, &e->out.unread_room, e->out.under_way,
               cut(e->conn, e->out.under_way_len));
        e->out.under_way_len = 0;
        tell(peer);
    }
    send_reset(peer);
}

uint32_t end_readiness(const struct end *e)
{
    const struct way *in = &other(e)->out;
    uint32_t is = 0;
    if (e->connecting)
        return e->error ? EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP : 0;
    if (in->unread_len || in->fin_arrived)
        is |= EPOLLIN;
    if (in->fin_arrived)
        is |= EPOLLRDHUP;
    if (e->was_reset)
        is |= EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP;
    if (in->fin_arrived && e->out.fin)
        is |= EPOLLHUP;
    if (e->error)
        is |= EPOLLERR;
    size_t left = e->conn->nature.send_room > e->out.under_way_len
                      ? e->conn->nature.send_room - e->out.under_way_len
                      : 0;
    if (left * 3 >= e->conn->nature.send_room && left)
        is |= EPOLLOUT;
    return is;
}

void end_hold_up(struct end *e, bool held)
{
    if (held && e->conn->nature.send_room > HELD_ROOM)
        e->conn->nature.send_room = HELD_ROOM; /* the rest is taken by what is under way */
    e->held_up = held;
    if (!held)
        schedule(other(e));
}

void end_black_hole(struct end *e)
{
    e->conn->is_black_hole = true;
}

bool end_is_open(const struct end *e)
{
    return e->open && !e->closed && !e->was_reset;
}

uint64_t end_peer_has_read(const struct end *e)
{
    const struct end *peer = other(e);
    return peer->out.fin || peer->closed ? e->out.read_before : e->out.read;
}

uint64_t end_peer_sent(const struct end *e)
{
    return other(e)->out.sent;
}

uint64_t end_sent(const struct end *e)
{
    return e->out.sent;
}

unsigned end_number(const struct end *e)
{
    return e->conn->number;
}

uint32_t end_address(const struct end *e)
{
    return e->conn->address;
}

uint16_t end_port(const struct end *e)
{
    return e->conn->port;
}

uint32_t end_source(const struct end *e)
{
    return e->conn->source;
}

/* --------------------------------------------------------------------------- connecting */

static struct conn *conn_new(void)
{
    struct conn *c = NEW(struct conn);
    c->number = ++numbers;
    c->dice = dice_of("connection", c->number);
    c->nature = net_nature_draw(&c->dice);
    for (int i = 0; i < 2; i++) {
        c->ends[i].conn = c;
        c->ends[i].side = i;
    }
    return c;
}

void net_listen(struct net_listener *l)
{
    l->next = listeners;
    listeners = l;
}

struct net_listener *net_listener_at(uint32_t address, uint16_t port)
{
    struct net_listener *l = listeners;
    while (l && (l->address != address || l->port != port))
        l = l->next;
    return l;
}

static void established(struct conn *c)
{
    c->ends[0].connecting = false;
    c->ends[0].open = c->ends[1].open = true;
}

static void syn_arrives(void *owner)
{
    struct conn *c = owner;
    struct end *dialler = &c->ends[0];
    struct net_listener *l = c->to;
    if (dialler->closed || (l && l->is_deaf))
        return;
    if (l == NULL || l->refuses) {
        make_reset(dialler);
        return;
    }
    established(c);
    if (!l->on_accept(l->owner, &c->ends[1]))
        end_close(&c->ends[1], true);
}

struct end *net_dial(uint32_t address, uint16_t port, uint32_t source)
{
    struct conn *c = conn_new();
    c->address = address;
    c->port = port;
    c->source = source;
    c->to = net_listener_at(address, port);
    c->ends[0].connecting = true;
    world_say("connection %u: the daemon dials %u.%u.%u.%u:%u", c->number, address >> 24,
              address >> 16 & 255, address >> 8 & 255, address & 255, port);
    world_in(delay_of(c), syn_arrives, c);
    return &c->ends[0];
}

static void open_told(void *owner)
{
    struct end *e = owner;
    if (!e->closed && e->events)
        e->events->on_open(e->owner);
}

static void client_syn_arrives(void *owner)
{
    struct conn *c = owner;
    struct end *e = &c->ends[0];
    if (e->closed)
        return;
    if (!kernel_offer(c->port, &c->ends[1])) {
        make_reset(e);
        return;
    }
    established(c);
    world_in(delay_of(c), open_told, e);
}

struct end *end_dial(uint16_t port, const struct end_events *events, void *owner)
{
    struct conn *c = conn_new();
    c->address = 0x7f000001;
    c->port = port;
    c->ends[0].events = events;
    c->ends[0].owner = owner;
    c->ends[0].connecting = true;
    world_in(delay_of(c), client_syn_arrives, c);
    return &c->ends[0];
}
