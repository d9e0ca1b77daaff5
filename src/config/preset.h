/* What is known of some exchanges: the files of presets/ as text, an upstream block each in
 * the configuration's own syntax (doc/presets.md has the source of every value). Constant,
 * owned by nobody, without states. */
#pragma once

#include <stddef.h>

struct preset {
    const char *name; /* of the file, without .conf; NULL: the end */
    const char *text;
};

/* In the order of their names; scripts/embed-presets makes the table. */
extern const struct preset presets[];

/* The text of that preset; NULL if there is none. */
const char *preset_find(const char *name);
