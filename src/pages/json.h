/* JSON values for the pages, over jansson. Stateless; what is made is the caller's until
 * it is put into an object. */
#pragma once

#include <jansson.h>

#include "base/check.h"

/* Puts `value` (taken over) into `object` under `key`, or at a place of two keys with a
 * dot between them, whose outer object is made if it is not there. A key that is there
 * keeps its place and gets the value. */
void json_place(json_t *object, const char *place, json_t *value);

json_t *json_count(uint64_t n);
json_t *json_ms(uint64_t us);          /* milliseconds, with a fraction */
json_t *json_rate(uint64_t, uint64_t); /* the first's share of both; null: both are 0 */

/* A text that may hold bytes that a peer sent: if it is not UTF-8, its bytes outside ASCII
 * become "?". The second one is null for an empty text and for
 * NULL. */
json_t *json_text(const char *);
json_t *json_optional(const char *);
