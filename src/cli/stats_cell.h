/* Values of the /stats document: found by their dotted paths, and formatted as cells of a
 * table for people. What is missing counts as 0 or "-". Pure; stateless. */
#pragma once

#include <jansson.h>

#include "base/text.h"

enum { CELL_SIZE = 64 }; /* bytes in each `cell` below */

/* The value at a dotted path ("queue.waiting"; borrowed), or NULL. */
json_t *at_path(json_t *, const char *path);
double number_at(json_t *, const char *path);

/* The sum of the numbers in the object there. */
double sum_at(json_t *, const char *path);

/* The string, or "-". Control characters become "?", so that none reaches the terminal. */
void format_string(char *cell, const json_t *value);

/* Six places at most: 99999, 123k, 4.57M. */
void format_count(char *cell, double n);

/* A share in per cent: truncated, not rounded, so that 100 means all. "-" if `whole` is 0. */
void format_share(char *cell, double part, double whole);

/* Milliseconds, in three digits or more. */
void format_ms(char *cell, double ms);

/* How long something has lasted, in milliseconds: "250ms", "2.5s" or "3m 20s". */
void format_age(char *cell, double ms);

/* "3d 4h", "4h 5m", "5m 6s" or "6s". */
void format_uptime(struct text *, double seconds);
