#include "front/clients.h"

#include "base/alloc.h"
#include "front/client.h"
#include "front/response_writer.h"

struct clients {
    struct client_context context;
    uint64_t accepted, rejected; /* since start */
};

static void clients_enter(struct clients *cs, enum clients_state to)
{
    STATE_ENTER(clients, &cs->context.state, to, "clients", 0);
}

struct clients *clients_new(struct loop *loop, struct lingering *linger,
                            const struct handler *handler, const struct client_limits *limits)
{
    struct clients *cs = NEW(struct clients);
    cs->context.loop = loop;
    cs->context.linger = linger;
    cs->context.handler = handler;
    cs->context.limits = *limits;
    list_init(&cs->context.open);
    list_init(&cs->context.securing);
    return cs;
}

void clients_intercept(struct clients *cs, struct worker *worker, struct leaves *leaves)
{
    cs->context.worker = worker;
    cs->context.leaves = leaves;
}

void clients_identify(struct clients *cs, struct request_ids *ids)
{
    cs->context.ids = ids;
}

void clients_set_limits(struct clients *cs, const struct client_limits *limits)
{
    cs->context.limits = *limits;
}

/* ---------------------------------------------------------------- accepting */

/* Its caller flushes at once. */
static void on_gathered(void *owner)
{
    (void)owner;
}

/* An error is far below STREAM_HIGH. */
static void on_full(void *owner)
{
    (void)owner;
}

static void write_error(const struct request *request, const struct ingress *ingress,
                        struct stream *stream, const struct verdict *why)
{
    static const struct response_writer_events events = {on_gathered, on_full};
    struct response_writer *w = response_writer_new(ingress->client, stream, &events, NULL);
    response_writer_error(w, request, why);
    response_writer_flush(w);
    response_writer_free(w);
}

/* Answered at once: the client finds it when it has sent its request. */
static void turn_away(struct clients *cs, struct stream *stream, const struct ingress *ingress,
                      const struct verdict *why)
{
    const struct handler *handler = cs->context.handler;
    struct request request = {.arena = arena_new()};
    if (cs->context.ids)
        request_ids_next(cs->context.ids, &request.id);
    write_error(&request, ingress, stream, why);
    cs->rejected++;
    handler->refused(handler->self, &request, ingress, why);
    arena_free(request.arena);
    linger_take(cs->context.linger, stream);
}

void clients_turn_away(struct clients *cs, struct stream *stream, const struct ingress *ingress,
                       const char *words)
{
    struct verdict why = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO, "%s", words);
    turn_away(cs, stream, ingress, &why);
}

void clients_accept(struct clients *cs, struct stream *stream, const struct ingress *ingress)
{
    size_t open = cs->context.open.count;
    if (cs->context.state != CLIENTS_SERVING) {
        struct verdict why =
            verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "trunkline is shutting down");
        turn_away(cs, stream, ingress, &why);
        return;
    }
    if (open >= cs->context.limits.max_clients) {
        struct verdict why = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                                          "%zu clients are connected (max_clients)", open);
        turn_away(cs, stream, ingress, &why);
        return;
    }
    if (alloc_is_short()) {
        clients_turn_away(cs, stream, ingress, "trunkline is out of memory");
        return;
    }
    cs->accepted++;
    client_new(&cs->context, stream, ingress);
}

void clients_reject(struct clients *cs, struct stream *stream)
{
    cs->rejected++;
    stream_close(stream);
}

void clients_count(const struct clients *cs, size_t *open, uint64_t *accepted, uint64_t *rejected)
{
    *open = cs->context.open.count;
    *accepted = cs->accepted;
    *rejected = cs->rejected;
}

bool clients_owe(const struct clients *cs)
{
    for (struct link *at = list_first(&cs->context.open); at; at = list_next(at))
        if (client_owes(client_of(at)))
            return true;
    return false;
}

/* ------------------------------------------------------------------- ending */

static void for_each(struct clients *cs, void (*act)(struct client *))
{
    struct link *next;
    for (struct link *at = list_first(&cs->context.open); at; at = next) {
        next = list_next(at);
        act(client_of(at));
    }
}

void clients_drain(struct clients *cs)
{
    if (cs->context.state == CLIENTS_SERVING)
        clients_enter(cs, CLIENTS_DRAINING);
}

void clients_dismiss(struct clients *cs)
{
    for_each(cs, client_dismiss);
}

void clients_settle(struct clients *cs, const struct verdict *why)
{
    cs->context.ending = *why;
    if (cs->context.state != CLIENTS_ENDING)
        clients_enter(cs, CLIENTS_ENDING);
    for_each(cs, client_settle);
}

static void end(struct client *c)
{
    client_close(c, "trunkline ends");
}

void clients_free(struct clients *cs)
{
    if (cs == NULL)
        return;
    for_each(cs, end);
    free(cs);
}
