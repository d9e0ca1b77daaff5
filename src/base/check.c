#include "base/check.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "trunkline: Assertion `%s` failed at %s:%d\n", what, file, line);
    abort();
}

void *must_malloc(size_t size)
{
    void *p = malloc(size);
    if (p == NULL && alloc_rescue())
        p = malloc(size);
    CHECK(p != NULL);
    return p;
}

void *must_calloc(size_t count, size_t size)
{
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
