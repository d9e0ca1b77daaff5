#include "base/alloc.h"

#include <malloc.h>
#include <string.h>

#include "base/log.h"

#define RESERVE (4 * 1024 * 1024)
#define SMALL 1024 /* bytes; the cache holds blocks of up to 1032 */

/* Freed memory that is kept: as much as the responses of some hundred clients need in one turn. */
#define KEEP_FREED (4 * 1024 * 1024)
#define GROW_BY (512 * 1024)
#define MAP_FROM (1024 * 1024) /* larger blocks go back to the system at once */

static void *reserve;
static bool spent;

/* By default glibc gives 128 KiB back to the system at once. The buffers of a turn's responses are
 * more than that, so each turn would shrink the heap, and take a page fault for every 4 KiB of it
 * when it grows again. */
static void keep_freed(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, KEEP_FREED);
    (void)mallopt(M_TOP_PAD, GROW_BY);
    (void)mallopt(M_MMAP_THRESHOLD, MAP_FROM);
}

void alloc_prepare(void)
{
    keep_freed();
    if (reserve == NULL)
        reserve = malloc(RESERVE);
}

bool alloc_rescue(void)
{
    bool there = reserve != NULL;
    spent |= there;
    free(reserve);
    reserve = NULL;
    return there;
}

bool alloc_is_short(void)
{
    static struct log_seldom seldom;
    if (!spent)
        return false;
    alloc_prepare();
    spent = reserve == NULL;
    if (spent)
        log_seldom(&seldom, LOG_LEVEL_ERROR, "daemon", "out of memory: new requests are refused");
    return spent;
}

void *must_malloc(size_t size)
{
    void *p = malloc(size);
    if (p == NULL && alloc_rescue())
        p = malloc(size);
    CHECK(p != NULL);
    return p;
}

/* glibc's malloc() takes small blocks from a per-thread cache, but its calloc() does not. For most
 * of what a request allocates, malloc() and memset() are several times faster. */
static void *calloc_small(size_t size)
{
    void *p = must_malloc(size);
    memset(p, 0, size);
    return p;
}

void *must_calloc(size_t count, size_t size)
{
    size_t total;
    if (!__builtin_mul_overflow(count, size, &total) && total <= SMALL)
        return calloc_small(total);
    void *p = calloc(count, size);
    if (p == NULL && alloc_rescue())
        p = calloc(count, size);
    CHECK(p != NULL);
    return p;
}

void *must_realloc(void *old, size_t size)
{
    void *p = realloc(old, size);
    if (p == NULL && alloc_rescue())
        p = realloc(old, size);
    CHECK(p != NULL);
    return p;
}

char *must_strdup(const char *text)
{
    return must_strndup(text, strlen(text));
}

char *must_strndup(const char *text, size_t len)
{
    char *p = must_calloc(1, len + 1);
    memcpy(p, text, len);
    return p;
}
