#include "base/spares.h"

#include <string.h>

#include "base/sanitized.h"

struct spare {
    struct spare *next;
};

void *spares_take(struct spares *s, size_t size)
{
    struct spare *block = s->first;
    if (block == NULL)
        return must_malloc(size);
    s->first = block->next;
    s->count--;
    return block;
}

void spares_give(struct spares *s, void *block)
{
    struct spare *spare = block;
    /* AddressSanitizer must see each block freed, to find what uses it later. */
    if (SANITIZED || s->count >= SPARES_MAX) {
        free(block);
        return;
    }
    spare->next = s->first;
    s->first = spare;
    s->count++;
}

void *spares_zeroed(struct spares *s, size_t size)
{
    return memset(spares_take(s, size), 0, size);
}
