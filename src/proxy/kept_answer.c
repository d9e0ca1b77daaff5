#include "proxy/kept_answer.h"

static bool is_event_stream(const struct response *r)
{
    const struct field *f = fields_find(&r->fields, SPAN("Content-Type"));
    return f && span_starts_nocase(f->value, SPAN("text/event-stream"));
}

bool kept_answer_may_begin(const struct response *r)
{
    bool fits = r->framing != FRAMING_LENGTH || r->length <= KEPT_ANSWER_MAX;
    return r->status >= 200 && fits && !is_event_stream(r);
}

struct kept_answer *kept_answer_new(const struct response *r)
{
    struct arena *arena = arena_new();
    struct kept_answer *k = arena_alloc(arena, sizeof *k);
    k->references = 1;
    k->arena = arena;
    k->head = *r;
    k->head.reason = arena_span(arena, r->reason);
    k->head.fields = fields_copy(arena, &r->fields);
    return k;
}

bool kept_answer_add(struct kept_answer *k, const char *data, size_t len)
{
    if (len > KEPT_ANSWER_MAX - k->body.len)
        return false;
    text_add(&k->body, (struct span){data, len});
    return true;
}

void kept_answer_end(struct kept_answer *k)
{
    text_fit(&k->body);
    if (k->head.framing == FRAMING_NONE)
        return;
    k->head.framing = FRAMING_LENGTH;
    k->head.has_length = true;
    k->head.length = k->body.len;
}

struct kept_answer *kept_answer_ref(struct kept_answer *k)
{
    k->references++;
    return k;
}

void kept_answer_unref(struct kept_answer *k)
{
    if (k == NULL || --k->references)
        return;
    text_free(&k->body);
    arena_free(k->arena);
}

size_t kept_answer_size(const struct kept_answer *k)
{
    return arena_size(k->arena) + k->body.room;
}
