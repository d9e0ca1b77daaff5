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

/* Copies the text to `*at`, with a NUL behind it, and moves `*at` behind that. */
static struct span copy_text(char **at, struct span from)
{
    struct span to = {*at, from.len};
    if (from.len)
        memcpy(*at, from.at, from.len);
    (*at)[from.len] = '\0';
    *at += from.len + 1;
    return to;
}

struct fields fields_copy(struct arena *a, const struct fields *from)
{
    struct fields to = {.count = from->count, .room = from->count};
    size_t size = 0;
    if (from->count == 0)
        return (struct fields){0};
    for (size_t i = 0; i < from->count; i++)
        size += from->at[i].name.len + from->at[i].value.len + 2;
    to.at = arena_grow(a, NULL, 0, from->count * sizeof *to.at);
    char *text = arena_grow(a, NULL, 0, size);
    for (size_t i = 0; i < from->count; i++) {
        to.at[i].name = copy_text(&text, from->at[i].name);
        to.at[i].value = copy_text(&text, from->at[i].value);
    }
    return to;
}
