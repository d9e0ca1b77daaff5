/* A directive's value: converts the text of a file to the directive's field, and back to text that
 * reads to the same value. Pure except for value_usable(), without states; the memory that fields
 * point to is in the given arena. */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "config/directive.h"
#include "config/settings.h"

#define VALUE_WHY_SIZE 300

/* Sets the field of a scalar directive, or adds an element to the field of a list. False: `why` is
 * set to what is wrong, in words that do not repeat the text. */
bool value_read(struct arena *, const struct directive *, const char *text, void *field,
                char why[VALUE_WHY_SIZE]) MUST_CHECK;

/* Does the file that the value names exist, and can it be read? True if the value names no file. */
bool value_usable(const struct directive *, const char *text, char why[VALUE_WHY_SIZE]) MUST_CHECK;

/* Appends the value as written in a file: 90s, "text", {"a", "b"}. */
void value_print(const struct directive *, const void *field, struct text *out);

/* Appends a string in quotes that reads to the same string. */
void value_print_quoted(const char *, struct text *out);

/* Room for the field of any directive; all zeros means "none" or an empty list. */
union value_field {
#define TYPE(type, is_list, label) config_##type of_##type;
#include "config/config.def"
};
