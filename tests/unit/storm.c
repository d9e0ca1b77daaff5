#include "storm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

#define VARIABLE "STORM_SEED"

static uint64_t state;

/* The seed is put into the environment, because the tests run in processes of their own. */
uint64_t storm_choose_seed(void)
{
    const char *given = getenv(VARIABLE);
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    char text[24];
    if (given && strcmp(given, "random") == 0)
        CHECK(getentropy(&seed, sizeof seed) == 0);
    snprintf(text, sizeof text, "%" PRIu64, seed);
    CHECK(setenv(VARIABLE, text, 1) == 0);
    return seed;
}

void storm_seed(int number)
{
    state = storm_choose_seed() + (uint64_t)number;
}

void storm(unsigned rounds, void (*round)(void), void (*check)(void))
{
    for (unsigned n = 0; n < rounds; n++) {
        round();
        if (check)
            check();
    }
}

/* splitmix64: neighbouring seeds give unrelated sequences. */
static uint64_t next(void)
{
    uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

unsigned draw(unsigned below)
{
    CHECK(below > 0);
    return (unsigned)(next() >> 32) % below;
}

bool one_in(unsigned n)
{
    return draw(n) == 0;
}
