/* The simulated name server: it answers what c-ares asks, as it was told, or late, or not at all. One
 * for the process. */
#pragma once

#include "tests/sim/world.h"

struct name_row {
    const char *name;
    uint32_t address;
};

/* What it should say of a name; 0: there is none. */
uint32_t names_address(const char *name);

/* `trouble`: percent of questions that are lost or fail. */
void names_begin(const struct name_row *, size_t count, uint32_t trouble);
