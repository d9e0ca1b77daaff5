/* What every file may use: assertions, magic numbers, attributes. Nobody owns it, and it has
 * no state; it depends on the C library alone. Assertions stay on in release builds: a daemon
 * that sends orders stops rather than go on in a state that was not foreseen. */
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

/* Every object that a library hands back as void * begins with its magic number, so that a
 * stale pointer, or one to something else, is found at once. */
#define MAGIC_INIT(obj, number) ((obj)->magic = (number))
#define MAGIC_CHECK(obj, number) CHECK((obj) != NULL && (obj)->magic == (number))
