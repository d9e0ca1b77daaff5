#include "base/buf.h"

#include <string.h>

#include "base/spares.h"

#define CHUNK_MIN 1000 /* with its head as much as malloc() serves fast */
#define CHUNK_MAX 65500

struct buf_chunk {
    struct buf_chunk *next;
    size_t start, end, room;
    char bytes[];
};

/* Chunks of CHUNK_MIN bytes; a list for each thread, as in arena.c. */
static _Thread_local struct spares spares;
static _Thread_local bool keeps;

void buf_keep_chunks(void)
{
    keeps = true;
}

static struct buf_chunk *chunk_new(size_t room)
{
    size_t whole = sizeof(struct buf_chunk) + room;
    struct buf_chunk *c = room == CHUNK_MIN ? spares_take(&spares, whole) : must_malloc(whole);
    *c = (struct buf_chunk){.room = room};
    return c;
}

static void chunk_free(struct buf_chunk *c)
{
    if (keeps && c->room == CHUNK_MIN)
        spares_give(&spares, c);
    else
        free(c);
}

static struct buf_chunk *chunk_add(struct buf *b, size_t wanted)
{
    size_t room = wanted < CHUNK_MIN ? CHUNK_MIN : wanted > CHUNK_MAX ? CHUNK_MAX : wanted;
    if (b->size && room < 16000)
        room = 16000; /* it is growing: use fewer, larger chunks */
    struct buf_chunk *c = chunk_new(room);
    if (b->last)
        b->last->next = c;
    else
        b->first = c;
    return b->last = c;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    const char *from = data;
    while (len) {
        struct buf_chunk *c = b->last;
        if (c == NULL || c->end == c->room)
            c = chunk_add(b, len);
        size_t n = c->room - c->end < len ? c->room - c->end : len;
        memcpy(c->bytes + c->end, from, n);
        c->end += n;
        b->size += n;
        from += n;
        len -= n;
    }
}

size_t buf_front(const struct buf *b, const char **data)
{
    if (b->first == NULL)
        return 0;
    *data = b->first->bytes + b->first->start;
    return b->first->end - b->first->start;
}

void buf_consume(struct buf *b, size_t len)
{
    CHECK(len <= b->size);
    b->size -= len;
    while (b->first) {
        struct buf_chunk *c = b->first;
        size_t n = c->end - c->start < len ? c->end - c->start : len;
        c->start += n;
        len -= n;
        if (c->start < c->end)
            break;
        b->first = c->next;
        if (b->first == NULL)
            b->last = NULL;
        chunk_free(c);
    }
}

void buf_clear(struct buf *b)
{
    buf_consume(b, b->size);
}
