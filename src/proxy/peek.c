#include "proxy/peek.h"

#include "proxy/decoder.h"

#define HELD_MOST (64 * 1024)

void peek_init(struct peek *p, const struct config_names *prefixes, struct trip *trip,
               const struct exchange_events *events, void *owner)
{
    *p = (struct peek){.prefixes = prefixes, .trip = trip, .events = events, .owner = owner};
}

/* False: it is in a coding that cannot be looked into. */
static bool find_decoder(struct peek *p, const struct fields *fields)
{
    const struct field *f = fields_find(fields, SPAN("Content-Encoding"));
    if (f == NULL || span_is_nocase(f->value, SPAN("identity")))
        return true;
    if (fields_count(fields, SPAN("Content-Encoding")) == 1)
        p->decoder = decoder_new(f->value);
    return p->decoder != NULL;
}

void peek_head(struct peek *p, const struct response *r)
{
    if (p->prefixes->count && r->status == 200 && r->framing != FRAMING_NONE) {
        p->trip->unseen = !find_decoder(p, &r->fields);
        if (!p->trip->unseen) {
            p->arena = arena_new();
            p->head = *r;
            p->head.reason = arena_span(p->arena, r->reason);
            p->head.fields = fields_copy(p->arena, &r->fields);
            return;
        }
    }
    p->events->on_head(p->owner, r);
}

/* Does it begin so; and if not, could it still with more of it? */
static bool begins(struct peek *p, bool *may_yet)
{
    struct span seen = text_span(&p->seen);
    for (size_t i = 0; i < p->prefixes->count; i++) {
        struct span prefix = span_of(p->prefixes->at[i]);
        if (span_starts(seen, prefix))
            return true;
        *may_yet = *may_yet || span_starts(prefix, seen);
    }
    return false;
}

static bool decode(struct peek *p, struct span data)
{
    if (p->decoder)
        return decoder_feed(p->decoder, data, &p->seen, ERROR_PREFIX_MAX);
    text_add(&p->seen, span_first(data, ERROR_PREFIX_MAX - p->seen.len));
    return true;
}

/* Reading on is of no use when it has enough, or is no such coding. */
static bool has_decided(struct peek *p, struct span data)
{
    bool may_yet = false;
    p->trip->unseen = !decode(p, data);
    p->trip->refused = begins(p, &may_yet);
    if (!p->trip->refused && may_yet && p->held.len >= HELD_MOST)
        p->trip->unseen = true;
    return p->trip->refused || p->trip->unseen || !may_yet;
}

bool peek_holds(const struct peek *p)
{
    return p->arena != NULL;
}

void peek_flush(struct peek *p)
{
    if (p->arena == NULL)
        return;
    struct arena *head = p->arena;
    p->arena = NULL;
    p->events->on_head(p->owner, &p->head);
    if (p->events && p->held.len)
        p->events->on_body(p->owner, p->held.at, p->held.len);
    arena_free(head);
}

void peek_body(struct peek *p, const char *data, size_t len)
{
    if (p->arena == NULL) {
        p->events->on_body(p->owner, data, len);
        return;
    }
    text_add(&p->held, (struct span){data, len});
    if (has_decided(p, (struct span){data, len}))
        peek_flush(p);
}

void peek_stop(struct peek *p)
{
    p->events = NULL;
}

void peek_free(struct peek *p)
{
    arena_free(p->arena);
    text_free(&p->held);
    text_free(&p->seen);
    decoder_free(p->decoder);
}
