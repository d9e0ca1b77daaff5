#include "http/message.h"

#define FIRST_ROOM 16

const struct field *fields_find(const struct fields *fields, struct span name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (span_is_nocase(fields->at[i].name, name))
            return &fields->at[i];
    return NULL;
}

size_t fields_count(const struct fields *fields, struct span name)
{
    size_t count = 0;
    for (size_t i = 0; i < fields->count; i++)
        count += span_is_nocase(fields->at[i].name, name);
    return count;
}

bool fields_list(const struct fields *fields, struct span name, struct span token)
{
    for (size_t i = 0; i < fields->count; i++)
        if (span_is_nocase(fields->at[i].name, name) && span_lists(fields->at[i].value, token))
            return true;
    return false;
}

void fields_make_room(struct fields *fields, struct arena *arena)
{
    size_t room = fields->count < FIRST_ROOM ? FIRST_ROOM : fields->count * 2;
    struct field *borrowed = fields->room ? NULL : fields->at;
    fields->at = arena_grow(arena, fields->room ? fields->at : NULL,
                            fields->room * sizeof *fields->at, room * sizeof *fields->at);
    if (borrowed)
        memcpy(fields->at, borrowed, fields->count * sizeof *fields->at);
    fields->room = room;
}

struct fields fields_copy(struct arena *a, const struct fields *from)
{
    struct fields to = {.count = from->count, .room = from->count};
    if (from->count == 0)
        return (struct fields){0};
    to.at = arena_alloc(a, from->count * sizeof *to.at);
    for (size_t i = 0; i < from->count; i++)
        to.at[i] =
            (struct field){arena_span(a, from->at[i].name), arena_span(a, from->at[i].value)};
    return to;
}
