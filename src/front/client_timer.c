#include "front/client_timer.h"

/* How often a client that is not read from is checked for having disconnected. */
#define PEER_MS 1000

/* A client that takes nothing of its response is looked at first after READER_FIRST_MS,
 * then READER_LOOKS times while its patience lasts, and every READER_LOOK_MS at least. */
#define READER_FIRST_MS 50
#define READER_LOOK_MS 250
#define READER_LOOKS 5

static uint64_t now(const struct client_timer *t)
{
    return loop_now(t->deadline.loop);
}

static uint64_t patience(const struct client_timer *t)
{
    uint64_t most = t->limits->body_timeout_ms, asked = t->events->on_patience(t->owner);
    return asked < most ? asked : most;
}

/* ------------------------------------------------------------------ setting */

static void set(struct client_timer *t, enum client_wait wait)
{
    t->wait = wait;
    switch (wait) {
    case WAIT_NONE: deadline_stop(&t->deadline); break;
    case WAIT_IDLE: deadline_in(&t->deadline, t->limits->idle_timeout_ms); break;
    case WAIT_HEAD: deadline_in(&t->deadline, t->limits->header_timeout_ms); break;
    case WAIT_BODY:
        t->last_input = now(t);
        deadline_in(&t->deadline, t->limits->body_timeout_ms);
        break;
    case WAIT_QUEUE:
        t->taken = stream_taken(t->stream);
        deadline_in(&t->deadline, t->limits->body_timeout_ms);
        break;
    case WAIT_READER:
        t->taken = stream_taken(t->stream);
        t->taken_at = now(t);
        deadline_in(&t->deadline, READER_FIRST_MS); /* it delays no other request yet */
        break;
    case WAIT_TURN: deadline_in(&t->deadline, 0); break;
    case WAIT_PEER: deadline_in(&t->deadline, PEER_MS); break;
    }
}

void client_timer_wait(struct client_timer *t, struct stream *stream, enum client_wait wait)
{
    t->stream = stream;
    if (wait != t->wait)
        set(t, wait);
}

void client_timer_note_input(struct client_timer *t)
{
    t->last_input = now(t);
}

void client_timer_stop(struct client_timer *t)
{
    set(t, WAIT_NONE);
}

/* ----------------------------------------------------------------- expiring */

/* Input since the deadline was set did not move it, but its time is known. */
static bool has_sent(struct client_timer *t)
{
    uint64_t due = t->last_input + t->limits->body_timeout_ms;
    if (due <= now(t))
        return false;
    deadline_at(&t->deadline, due);
    return true;
}

/* What was taken since is known by the count alone: a client that stopped reading is found
 * after one to two timeouts. */
static bool has_taken(struct client_timer *t)
{
    if (stream_queued(t->stream) && stream_taken(t->stream) == t->taken)
        return false;
    t->wait = WAIT_NONE;
    return true;
}

/* Looked at repeatedly, because other requests may begin to wait for its connection at any
 * time. */
static bool is_reading(struct client_timer *t)
{
    uint64_t most = patience(t), soon = most / READER_LOOKS;
    if (stream_taken(t->stream) != t->taken) {
        t->taken = stream_taken(t->stream);
        t->taken_at = now(t);
    }
    if (now(t) - t->taken_at >= most)
        return false;
    deadline_in(&t->deadline, soon < READER_LOOK_MS ? soon : READER_LOOK_MS);
    return true;
}

static bool is_connected(struct client_timer *t)
{
    if (stream_is_broken(t->stream))
        return false;
    t->wait = WAIT_NONE;
    return true;
}

static bool goes_on(struct client_timer *t)
{
    switch (t->wait) {
    case WAIT_BODY: return has_sent(t);
    case WAIT_QUEUE: return has_taken(t);
    case WAIT_READER: return is_reading(t);
    case WAIT_PEER: return is_connected(t);
    case WAIT_NONE:
    case WAIT_IDLE:
    case WAIT_HEAD:
    case WAIT_TURN: break;
    }
    return false;
}

static void on_expired(struct deadline *d)
{
    struct client_timer *t = container_of(d, struct client_timer, deadline);
    enum client_wait wait = t->wait;
    if (goes_on(t)) {
        t->events->on_checked(t->owner);
        return;
    }
    t->wait = WAIT_NONE;
    t->events->on_expired(t->owner, wait);
}

void client_timer_init(struct client_timer *t, struct loop *loop,
                       const struct client_limits *limits, const struct client_timer_events *events,
                       void *owner)
{
    *t = (struct client_timer){.limits = limits, .events = events, .owner = owner};
    deadline_init(&t->deadline, loop, on_expired);
}
