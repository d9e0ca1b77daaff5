#include "proxy/tunnel_record.h"

struct tunnel_record {
    struct record record; /* its texts are our own, but for the bot's name, which stays */
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
    struct tunnel_record *e = NEW(struct tunnel_record);
    *e = (struct tunnel_record){.record = *record,
                                .began_us = began_us,
                                .least_us = least_us,
                                .listener = listener,
                                .context = context};
    if (record->id)
        e->id = *record->id;
    e->record.id = &e->id;
    e->record.tunnel = RECORD_TUNNEL_ENDED;
    e->record.client = must_strdup(record->client);
    e->record.upstream = record->upstream ? must_strdup(record->upstream) : NULL;
    e->record.method = copy(record->method);
    e->record.target = copy(record->target);
    return e;
}

void tunnel_record_tell(struct tunnel_record *e, uint64_t bytes, uint64_t now_us)
{
    struct record *r = &e->record;
    r->bytes = bytes;
    r->total_us = now_us - e->began_us;
    if (r->total_us >= e->least_us)
        e->listener(e->context, r);
    free((char *)r->client);
    free((char *)r->upstream);
    free((char *)r->method.at);
    free((char *)r->target.at);
    free(e);
}
