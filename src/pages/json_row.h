/* The values of a JSON document that is written without building it: each function appends one,
 * for the rows of requests.def and connections.def. Stateless. */
#pragma once

#include "base/text.h"

void json_row_bytes(struct text *, struct span); /* bytes outside of UTF-8 are replaced */
void json_row_word(struct text *, const char *); /* NULL: null */
void json_row_count(struct text *, uint64_t);    /* 0: null */
void json_row_number(struct text *, uint64_t);
void json_row_ms(struct text *, uint64_t us); /* milliseconds, with a fraction */
void json_row_flag(struct text *, bool);
