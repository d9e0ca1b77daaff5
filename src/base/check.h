/* What every file may assume: loud assertions, tagged objects, attributes.
 * Nobody owns it; it depends on the C library alone.
 * Assertions stay on in release builds: a daemon that moves orders stops
 * rather than go on in a state nobody thought of. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The struct whose `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Prints where and what, then aborts. */
_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))

/* Every object that a library hands back as void * begins with its magic
 * number, so that a stale or foreign pointer is caught at once. */
#define MAGIC_INIT(obj, number) ((obj)->magic = (number))
#define MAGIC_CHECK(obj, number) CHECK((obj) != NULL && (obj)->magic == (number))

/* malloc(3), calloc(3), realloc(3), strdup(3) and strndup(3) that live on the
 * reserve (memory.h) when memory is out, and abort when that is spent. */
void *must_malloc(size_t size) __attribute__((malloc, returns_nonnull));
void *must_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *must_realloc(void *old, size_t size) __attribute__((returns_nonnull));
char *must_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *must_strndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));

#define NEW(type) ((type *)must_calloc(1, sizeof(type)))
