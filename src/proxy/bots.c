#include "proxy/bots.h"

#include <string.h>

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return s.len > 0;
}

static struct bot *other(struct bots *b)
{
    strcpy(b->other.name, "other");
    return &b->other;
}

bool bots_is_name(struct span name)
{
    return name.len <= BOT_NAME_MAX && is_token(name);
}

struct bot *bots_find(struct bots *b, struct span name)
{
    if (!bots_is_name(name) || span_is(name, SPAN("other")))
        return other(b);
    for (size_t i = 0; i < b->count; i++)
        if (span_is(name, span_of(b->at[i].name)))
            return &b->at[i];
    if (b->count == BOTS_MAX)
        return other(b);
    struct bot *new = &b->at[b->count++];
    memcpy(new->name, name.at, name.len);
    new->name[name.len] = '\0';
    return new;
}

void bots_each(const struct bots *b, void (*visit)(void *context, const struct bot *),
               void *context)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->at[i].requests)
            visit(context, &b->at[i]);
    if (b->other.requests)
        visit(context, &b->other);
}
