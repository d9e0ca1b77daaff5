#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/spares.h"

#define FIRST_ROOM 1024

char *text_reserve(struct text *t, size_t len)
{
    if (t->room - t->len <= len) {
        size_t room = t->room ? t->room * 2 : FIRST_ROOM;
        while (room - t->len <= len)
            room *= 2;
        t->at = must_realloc(t->at, room);
        t->room = room;
    }
    return t->at + t->len;
}

void text_added(struct text *t, size_t len)
{
    CHECK(t->room - t->len > len);
    t->len += len;
    t->at[t->len] = '\0';
}

void text_add(struct text *t, struct span s)
{
    char *to = text_reserve(t, s.len);
    if (s.len)
        memcpy(to, s.at, s.len);
    text_added(t, s.len);
}

void text_add_str(struct text *t, const char *s)
{
    text_add(t, span_of(s));
}

void text_add_number(struct text *t, uint64_t n)
{
    char digits[24], *p = digits + sizeof digits;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    text_add(t, (struct span){p, (size_t)(digits + sizeof digits - p)});
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char *to = text_reserve(t, 200);
    int n = vsnprintf(to, 200, format, args);
    va_end(args);
    CHECK(n >= 0);
    if (n >= 200)
        vsnprintf(text_reserve(t, (size_t)n), (size_t)n + 1, format, again);
    va_end(again);
    text_added(t, (size_t)n);
}

void text_cut(struct text *t, size_t len)
{
    CHECK(len <= t->len);
    t->len = len;
    if (t->at)
        t->at[len] = '\0';
}

void text_drop(struct text *t, size_t len)
{
    CHECK(len <= t->len);
    if (len == 0)
        return;
    t->len -= len;
    memmove(t->at, t->at + len, t->len + 1);
}

void text_fit(struct text *t)
{
    if (t->room <= t->len + 1)
        return;
    t->room = t->len + 1;
    t->at = must_realloc(t->at, t->room);
}

struct span text_span(const struct text *t)
{
    return (struct span){t->at, t->len};
}

void text_clear(struct text *t)
{
    t->len = 0;
}

void text_begin(struct text *t, struct spares *s)
{
    text_free(t);
    *t = (struct text){.at = spares_take(s, FIRST_ROOM), .room = FIRST_ROOM};
    t->at[0] = '\0';
}

void text_end(struct text *t, struct spares *s)
{
    if (t->room != FIRST_ROOM) {
        text_free(t);
        return;
    }
    spares_give(s, t->at);
    *t = (struct text){0};
}

void text_free(struct text *t)
{
    free(t->at);
    *t = (struct text){0};
}
