#include "http/head.h"

#define FIRST_TEXT 1024
#define FIRST_CUTS 64 /* a first line and about 30 fields */

void head_start(struct head *h, struct arena *arena, size_t limit)
{
    CHECK(limit < UINT32_MAX);
    *h = (struct head){.arena = arena, .limit = limit};
}

void head_grow_cuts(struct head *h)
{
    size_t room = h->cut_room ? h->cut_room * 2 : FIRST_CUTS;
    h->cuts = arena_grow(h->arena, h->cuts, h->cut_room * sizeof *h->cuts, room * sizeof *h->cuts);
    h->cut_room = room;
}

/* The cuts are allocated first, so that the text is the arena's last allocation, which can
 * grow in place. */
void head_grow_text(struct head *h, size_t wanted)
{
    if (h->cuts == NULL)
        head_grow_cuts(h);
    size_t room = h->room ? h->room * 2 : FIRST_TEXT;
    while (room < wanted)
        room *= 2;
    h->text = arena_grow(h->arena, h->text, h->room, room);
    h->room = room;
}

struct span head_piece(const struct head *h, size_t n)
{
    CHECK(n < h->cut_count);
    size_t from = n ? h->cuts[n - 1] : 0;
    if (h->cuts[n] == from)
        return SPAN("");
    return (struct span){h->text + from, h->cuts[n] - from};
}

static bool is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

struct span head_reason(const struct head *h, size_t n)
{
    struct span piece = head_piece(h, n), reason = {0};
    size_t clean = 0;
    while (clean < piece.len && !is_control(piece.at[clean]))
        clean++;
    if (clean == piece.len)
        return piece;
    char *to = arena_alloc(h->arena, piece.len);
    reason.at = to;
    for (size_t i = 0; i < piece.len; i++)
        if (!is_control(piece.at[i]))
            to[reason.len++] = piece.at[i];
    return reason;
}

struct fields head_fields(const struct head *h, size_t first)
{
    CHECK(first <= h->cut_count && (h->cut_count - first) % 2 == 0);
    size_t count = (h->cut_count - first) / 2;
    if (count == 0)
        return (struct fields){0};
    struct fields fields = {.count = count, .room = count};
    fields.at = arena_grow(h->arena, NULL, 0, count * sizeof *fields.at);
    const char *text = h->text ? h->text : "";
    const uint32_t *cut = h->cuts + first;
    size_t from = first ? cut[-1] : 0;
    for (size_t i = 0; i < count; i++, cut += 2) {
        fields.at[i].name = (struct span){text + from, cut[0] - from};
        fields.at[i].value = span_trim((struct span){text + cut[0], cut[1] - cut[0]});
        from = cut[1];
    }
    return fields;
}
