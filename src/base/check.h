/* What every file may use: assertions, magic numbers, attributes. It has no owner and no state, and
 * depends on the C library alone. Assertions stay enabled in release builds: a daemon that sends
 * orders must stop rather than continue in an unforeseen state. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that contains the `member` at `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Prints the location and the failed condition, then aborts. */
_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))

/* Every object that passes through a library as void * begins with a magic number, so that a stale
 * pointer, or a pointer to another type, is detected at once. */
#define MAGIC_INIT(obj, number) ((obj)->magic = (number))
#define MAGIC_CHECK(obj, number) CHECK((obj) != NULL && (obj)->magic == (number))
