/* A directive's value: from the text of a file to its field, and back to text that reads
 * to the same. Pure but for value_usable(), without states; what fields point to lives in
 * the given arena. */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "config/directive.h"
#include "config/settings.h"

#define VALUE_WHY_SIZE 300

/* Sets the field of a scalar directive, or adds an element to that of a list. False: `why` is
 * filled with what is wrong, in words that do not repeat the text. */
bool value_read(struct arena *, const struct directive *, const char *text, void *field,
                char why[VALUE_WHY_SIZE]) MUST_CHECK;

/* Does the file that the value names exist, and can it be read? True if it names none. */
bool value_usable(const struct directive *, const char *text, char why[VALUE_WHY_SIZE]) MUST_CHECK;

/* Appends the value as a file has it: 90s, "text", {"a", "b"}. */
void value_print(const struct directive *, const void *field, struct text *out);

/* Appends a string in quotes that reads back to the same. */
void value_print_quoted(const char *, struct text *out);

/* Room for the field of any directive; zeroed it is "none" or an empty list. */
union value_field {
#define TYPE(type, is_list, label) config_##type of_##type;
#include "config/config.def"
};
