#include "base/alloc.h"

#include <string.h>

#include "base/log.h"

#define RESERVE (4 * 1024 * 1024)
#define SMALL 1024 /* bytes; the cache holds blocks of up to 1032 */

static void *reserve;
static bool spent;

void alloc_prepare(void)
{
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
