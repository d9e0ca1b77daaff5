#include "base/rare.h"

#include <stdatomic.h>

static atomic_ullong counts[RARE_COUNT];

void rare_note(enum rare which)
{
    atomic_fetch_add_explicit(&counts[which], 1, memory_order_relaxed);
}

uint64_t rare_count(enum rare which)
{
    return atomic_load_explicit(&counts[which], memory_order_relaxed);
}

const char *rare_name(enum rare which)
{
    static const char *const names[] = {
#define RARE(constant, name, place, meaning) [RARE_##constant] = name,
#include "base/rare.def"
    };
    return names[which];
}

const char *rare_place(enum rare which)
{
    static const char *const places[] = {
#define RARE(constant, name, place, meaning) [RARE_##constant] = place,
#include "base/rare.def"
    };
    return places[which];
}
