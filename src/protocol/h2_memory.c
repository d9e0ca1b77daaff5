#include "protocol/h2_memory.h"

#include <string.h>

#include "base/spares.h"

#define CLASSES 6 /* of 64 to 2,048 bytes; what is larger is not kept */
#define LEAST 64

/* What precedes each block. */
struct head {
    size_t room; /* bytes of the block */
    _Alignas(16) char block[];
};

static struct spares spares[CLASSES];

static struct head *head_of(void *block)
{
    return container_of(block, struct head, block);
}

/* CLASSES: it is too large. */
static unsigned class_of(size_t size)
{
    unsigned class = 0;
    while (class < CLASSES && size > (size_t)LEAST << class)
        class ++;
    return class;
}

static void *take(size_t size, void *user)
{
    unsigned class = class_of(size);
    size_t room = class < CLASSES ? (size_t)LEAST << class : size;
    (void)user;
    CHECK(room < SIZE_MAX - sizeof(struct head));
    size_t whole = sizeof(struct head) + room;
    struct head *h = class < CLASSES ? spares_take(&spares[class], whole) : must_malloc(whole);
    h->room = room;
    return h->block;
}

static void give(void *block, void *user)
{
    (void)user;
    if (block == NULL)
        return;
    struct head *h = head_of(block);
    unsigned class = class_of(h->room);
    if (class < CLASSES)
        spares_give(&spares[class], h);
    else
        free(h);
}

static void *take_zeroed(size_t count, size_t size, void *user)
{
    CHECK(size == 0 || count < SIZE_MAX / size);
    return memset(take(count * size, user), 0, count * size);
}

static void *resize(void *block, size_t size, void *user)
{
    if (block && size <= head_of(block)->room)
        return block;
    void *to = take(size, user);
    if (block)
        memcpy(to, block, head_of(block)->room);
    give(block, user);
    return to;
}

nghttp2_mem *h2_memory(void)
{
    static nghttp2_mem memory = {NULL, take, give, take_zeroed, resize};
    return &memory;
}
