#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/spares.h"

#define BLOCK_SIZE 4000
#define ALIGN(n) (((n) + 15) & ~(size_t)15)

struct block {
    struct block *older;
    size_t used, size;
    _Alignas(16) char bytes[];
};

struct arena {
    struct block *newest;
};

/* Blocks of BLOCK_SIZE, which nearly all are. One list for each thread, because a reload reads
 * its configuration into arenas on the worker, while the loop serves requests from others; and
 * only a thread that asked for it keeps any, since those of a thread that ends would be lost. */
static _Thread_local struct spares spares;
static _Thread_local bool keeps;

void arena_keep_blocks(void)
{
    keeps = true;
}

static struct block *block_new(struct block *older, size_t size)
{
    size_t whole = sizeof(struct block) + size;
    struct block *b = size == BLOCK_SIZE ? spares_take(&spares, whole) : must_malloc(whole);
    b->older = older;
    b->used = 0;
    b->size = size;
    return b;
}

/* The arena itself is the first piece of its first block. */
struct arena *arena_new(void)
{
    struct block *b = block_new(NULL, BLOCK_SIZE);
    struct arena *a = (struct arena *)(void *)b->bytes;
    b->used = ALIGN(sizeof *a);
    a->newest = b;
    return a;
}

void arena_free(struct arena *a)
{
    struct block *older;
    for (struct block *b = a ? a->newest : NULL; b; b = older) {
        older = b->older;
        if (keeps && b->size == BLOCK_SIZE)
            spares_give(&spares, b);
        else
            free(b);
    }
}

size_t arena_size(const struct arena *a)
{
    size_t size = 0;
    for (const struct block *b = a->newest; b; b = b->older)
        size += sizeof *b + b->size;
    return size;
}

static void *take(struct arena *a, size_t size)
{
    CHECK(size < SIZE_MAX / 2);
    struct block *b = a->newest;
    if (b->size - b->used < ALIGN(size))
        b = a->newest = block_new(b, size > BLOCK_SIZE / 2 ? ALIGN(size) * 2 : BLOCK_SIZE);
    void *p = b->bytes + b->used;
    b->used += ALIGN(size);
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return memset(take(a, size), 0, size);
}

void *arena_grow(struct arena *a, void *piece, size_t old_size, size_t size)
{
    struct block *b = a->newest;
    if (size <= ALIGN(old_size) && piece)
        return piece;
    if (piece && (char *)piece + ALIGN(old_size) == b->bytes + b->used) {
        size_t start = (size_t)((char *)piece - b->bytes);
        if (ALIGN(size) <= b->size - start) {
            b->used = start + ALIGN(size);
            return piece;
        }
    }
    void *p = take(a, size);
    if (old_size)
        memcpy(p, piece, old_size);
    return p;
}

struct span arena_span(struct arena *a, struct span s)
{
    char *p = take(a, s.len + 1);
    if (s.len)
        memcpy(p, s.at, s.len);
    p[s.len] = '\0';
    return (struct span){p, s.len};
}

struct span arena_number(struct arena *a, uint64_t n)
{
    char digits[20], *p = digits + sizeof digits;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    return arena_span(a, (struct span){p, (size_t)(digits + sizeof digits - p)});
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    CHECK(format != NULL);
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);
    char *p = take(a, (size_t)len + 1);
    vsnprintf(p, (size_t)len + 1, format, again);
    va_end(again);
    return p;
}
