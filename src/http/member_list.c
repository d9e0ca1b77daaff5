#include "http/member_list.h"

#include "base/text.h"

/* The length of the first member, up to its comma. False: a string in it does not end. */
static bool measure(struct span rest, size_t *len)
{
    bool quoted = false;
    size_t i;
    for (i = 0; i < rest.len && (quoted || rest.at[i] != ','); i++) {
        if (rest.at[i] == '"')
            quoted = !quoted;
        else if (quoted && rest.at[i] == '\\')
            i++;
    }
    *len = i < rest.len ? i : rest.len;
    return !quoted;
}

/* A token without its parameters, or a string without its quotes. */
static struct span name_of(struct span member)
{
    if (member.len && member.at[0] == '"') {
        struct span inner = span_from(member, 1);
        return span_first(inner, span_find(inner, '"'));
    }
    return span_trim(span_first(member, span_find(member, ';')));
}

struct span member_list_without(struct arena *a, struct span list, struct span name)
{
    struct text kept = {0};
    struct span rest = list;
    bool found = false, parsed = true;
    size_t len;
    for (; parsed && rest.len; rest = span_from(rest, len + 1)) {
        parsed = measure(rest, &len);
        struct span member = span_trim(span_first(rest, len));
        bool goes = span_is_nocase(name_of(member), name);
        found |= goes;
        if (goes || member.len == 0)
            continue;
        text_add(&kept, kept.len ? SPAN(", ") : SPAN(""));
        text_add(&kept, member);
    }
    struct span without = !parsed ? SPAN("") : found ? arena_span(a, text_span(&kept)) : list;
    text_free(&kept);
    return without;
}
