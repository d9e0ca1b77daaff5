#include "http/head.h"

#define FIRST_TEXT 1024
#define FIRST_CUTS 64 /* a first line and about 30 fields */

/* Each field has two cuts, and four bytes of syntax: ": " and CRLF. */
#define SYNTAX_PER_CUT 2

void head_start(struct head *h, struct arena *arena, size_t limit)
{
    CHECK(limit < UINT32_MAX);
    *h = (struct head){.arena = arena, .limit = limit};
}

static void grow_cuts(struct head *h)
{
    size_t room = h->cut_room ? h->cut_room * 2 : FIRST_CUTS;
    h->cuts = arena_grow(h->arena, h->cuts, h->cut_room * sizeof *h->cuts, room * sizeof *h->cuts);
    h->cut_room = room;
}

/* The cuts are allocated first, so that the text is the arena's last allocation, which can
 * grow in place. */
static void grow_text(struct head *h, size_t wanted)
{
    if (h->cuts == NULL)
        grow_cuts(h);
    size_t room = h->room ? h->room * 2 : FIRST_TEXT;
    while (room < wanted)
        room *= 2;
    h->text = arena_grow(h->arena, h->text, h->room, room);
    h->room = room;
}

bool head_add(struct head *h, const char *at, size_t len)
{
    size_t used = h->len + h->cut_count * SYNTAX_PER_CUT;
    if (used > h->limit || len > h->limit - used)
        return false;
    if (len == 0)
        return true;
    if (len > h->room - h->len)
        grow_text(h, h->len + len);
    memcpy(h->text + h->len, at, len);
    h->len += len;
    return true;
}

void head_cut(struct head *h)
{
    if (h->cut_count == h->cut_room)
        grow_cuts(h);
    h->cuts[h->cut_count++] = (uint32_t)h->len;
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
    fields.at = arena_alloc(h->arena, count * sizeof *fields.at);
    for (size_t i = 0; i < count; i++) {
        fields.at[i].name = head_piece(h, first + 2 * i);
        fields.at[i].value = span_trim(head_piece(h, first + 2 * i + 1));
    }
    return fields;
}
