#include "net/linger.h"

#include "base/list.h"

#define LINGER_BYTES (1024 * 1024) /* received and discarded */
#define LINGER_MS 2000             /* while the other end accepts no byte */
#define LINGER_MOST_MS 30000       /* in any case */

struct lingering {
    struct loop *loop;
    struct list guests;
};

struct guest {
    struct link link;
    struct stream *stream;
    struct deadline deadline;
    size_t received;
    uint64_t taken, last_ms;
};

/* The rest of a response is lost: the truncated response must not look complete. */
static void guest_free(struct guest *g)
{
    deadline_stop(&g->deadline);
    list_remove(&g->link);
    if (stream_queued(g->stream))
        stream_reset(g->stream);
    else
        stream_close(g->stream);
    free(g);
}

static void on_data(void *owner, const char *data, size_t len)
{
    struct guest *g = owner;
    (void)data;
    g->received += len;
    if (g->received > LINGER_BYTES)
        guest_free(g);
}

/* The other end sends nothing more, but may still read the queued response. */
static void on_end(void *owner, enum stream_end how, const char *why)
{
    struct guest *g = owner;
    (void)why;
    if (how == STREAM_RESET || stream_queued(g->stream) == 0)
        guest_free(g);
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void on_expired(struct deadline *d)
{
    struct guest *g = container_of(d, struct guest, deadline);
    if (stream_queued(g->stream) == 0 || stream_taken(g->stream) == g->taken ||
        loop_now(d->loop) >= g->last_ms) {
        guest_free(g);
        return;
    }
    g->taken = stream_taken(g->stream);
    deadline_in(d, LINGER_MS);
}

struct lingering *linger_new(struct loop *loop)
{
    struct lingering *l = NEW(struct lingering);
    l->loop = loop;
    list_init(&l->guests);
    return l;
}

void linger_take(struct lingering *l, struct stream *stream)
{
    static const struct stream_events events = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain};
    struct guest *g = NEW(struct guest);
    g->stream = stream;
    g->taken = stream_taken(stream);
    g->last_ms = loop_now(l->loop) + LINGER_MOST_MS;
    deadline_init(&g->deadline, l->loop, on_expired);
    deadline_in(&g->deadline, LINGER_MS);
    list_push_back(&l->guests, &g->link);
    stream_bind(stream, &events, g);
    stream_shutdown(stream);
    stream_resume(stream);
}

size_t linger_count(const struct lingering *l)
{
    return l->guests.count;
}

void linger_free(struct lingering *l)
{
    if (l == NULL)
        return;
    LIST_FOR (&l->guests, g, struct guest, link)
        guest_free(g);
    free(l);
}
