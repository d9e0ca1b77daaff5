#include "proxy/tunnel_record.h"

struct tunnel_record {
    struct record record; /* its texts are copies, except for the bot's name, which outlives it */
    struct request_id id;
    uint64_t began_us, least_us;
    record_listener *listener;
    void *context;
};

static struct span copy(struct span s)
{
    return (struct span){must_strndup(s.at, s.len), s.len};
}

struct tunnel_record *tunnel_record_new(const struct record *record, uint64_t began_us,
                                        record_listener *listener, uint64_t least_us, void *context)
{
    struct tunnel_record *t = NEW(struct tunnel_record);
    *t = (struct tunnel_record){.record = *record,
                                .began_us = began_us,
                                .least_us = least_us,
                                .listener = listener,
                                .context = context};
    if (record->id)
        t->id = *record->id;
    t->record.id = &t->id;
    t->record.tunnel = RECORD_TUNNEL_ENDED;
    t->record.client = must_strdup(record->client);
    t->record.upstream = record->upstream ? must_strdup(record->upstream) : NULL;
    t->record.method = copy(record->method);
    t->record.target = copy(record->target);
    return t;
}

const struct request_id *tunnel_record_id(const struct tunnel_record *e)
{
    return &e->id;
}

void tunnel_record_tell(struct tunnel_record *t, uint64_t bytes, uint64_t now_us)
{
    struct record *r = &t->record;
    r->bytes = bytes;
    r->total_us = now_us - t->began_us;
    if (r->total_us >= t->least_us)
        t->listener(t->context, r);
    free((char *)r->client);
    free((char *)r->upstream);
    free((char *)r->method.at);
    free((char *)r->target.at);
    free(t);
}
