#include "base/spares.h"

#include <string.h>

struct spare {
    struct spare *next;
};

/* AddressSanitizer is to see each block freed, so that it finds what uses it later. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

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
