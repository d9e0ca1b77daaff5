/* The presets for some exchanges: the files of presets/ as text, each of them one upstream block in
 * the configuration's own syntax (doc/presets.md has the source of every value). Constant, without
 * owner or states. */
#pragma once

#include <stddef.h>

struct preset {
    const char *name; /* name of the file, without .conf; NULL: the end of the table */
    const char *text;
};

/* Sorted by name; scripts/embed-presets generates the table. */
extern const struct preset presets[];

/* The text of that preset; NULL if there is none. */
const char *preset_find(const char *name);
