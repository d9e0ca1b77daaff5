#include "front/client_internal.h"

#include "base/alloc.h"

struct clients *clients_new(struct loop *loop, struct lingering *linger,
                            const struct handler *handler, const struct client_limits *limits)
{
    struct clients *house = NEW(struct clients);
    house->loop = loop;
    house->linger = linger;
    house->handler = handler;
    house->limits = *limits;
    list_init(&house->open);
    list_init(&house->securing);
    return house;
}

void clients_intercept(struct clients *house, struct worker *worker, struct leaves *leaves)
{
    house->worker = worker;
    house->leaves = leaves;
}

void clients_identify(struct clients *house, struct request_ids *ids)
{
    house->ids = ids;
}

void clients_set_limits(struct clients *house, const struct client_limits *limits)
{
    house->limits = *limits;
}

/* Answered at once: the client finds it when it has sent its request. */
static void turn_away(struct clients *house, struct stream *stream, const struct ingress *ingress,
                      const struct verdict *why)
{
    struct request request = {.arena = arena_new()};
    struct text out = {0};
    if (house->ids)
        request_ids_next(house->ids, &request.id);
    client_write_error(&out, &request, why);
    uv_buf_t piece = uv_buf_init(out.at, (unsigned)out.len);
    (void)stream_write(stream, &piece, 1); /* far below STREAM_HIGH */
    text_free(&out);
    house->rejected++;
    house->handler->refused(house->handler->self, &request, ingress, why);
    arena_free(request.arena);
    linger_take(house->linger, stream);
}

void clients_turn_away(struct clients *house, struct stream *stream, const struct ingress *ingress,
                       const char *words)
{
    struct verdict why = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO, "%s", words);
    turn_away(house, stream, ingress, &why);
}

void clients_accept(struct clients *house, struct stream *stream, const struct ingress *ingress)
{
    if (house->draining) {
        struct verdict why =
            verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "trunkline is shutting down");
        turn_away(house, stream, ingress, &why);
        return;
    }
    if (house->open.count >= house->limits.max_clients) {
        struct verdict why =
            verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                         "%zu clients are connected (max_clients)", house->open.count);
        turn_away(house, stream, ingress, &why);
        return;
    }
    if (alloc_is_short()) {
        clients_turn_away(house, stream, ingress, "trunkline is out of memory");
        return;
    }
    house->accepted++;
    client_new(house, stream, ingress);
}

void clients_reject(struct clients *house, struct stream *stream)
{
    house->rejected++;
    stream_close(stream);
}

void clients_count(const struct clients *house, size_t *open, uint64_t *accepted,
                   uint64_t *rejected)
{
    *open = house->open.count;
    *accepted = house->accepted;
    *rejected = house->rejected;
}

void clients_drain(struct clients *house)
{
    house->draining = true;
}

void clients_dismiss(struct clients *house)
{
    LIST_FOR (&house->open, c, struct client, link)
        client_dismiss(c);
}

void clients_settle(struct clients *house, const struct verdict *why)
{
    house->draining = true;
    house->ending = *why;
    LIST_FOR (&house->open, c, struct client, link)
        client_settle(c);
}

void clients_free(struct clients *house)
{
    if (house == NULL)
        return;
    LIST_FOR (&house->open, c, struct client, link)
        client_close(c, "trunkline ends");
    free(house);
}
