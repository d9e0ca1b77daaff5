/* Storms: many rounds of random events against the objects that a test has set up, with conditions
 * that must hold after each round. A program runs one storm at a time; all random numbers come from
 * here. The n-th storm of a program is seeded with STORM_SEED + n. STORM_SEED is a number (1 if it
 * is not set), or `random` for a different seed in each run. A program in which a test failed
 * prints its seed, so that STORM_SEED=seed CK_RUN_CASE=test repeats the failure. Storms are listed
 * with STORM(test, times), see suite.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Seeds the storm with this number (the test's _i). No random number may be drawn before. */
void storm_seed(int number);

/* Calls `round` this many times, and `check` (unless it is NULL) after each. */
void storm(unsigned rounds, void (*round)(void), void (*check)(void));

/* Returns a number from 0 up to but not including `below`, which is at least 1. */
unsigned draw(unsigned below);

/* Returns true in one of n calls on average. */
bool one_in(unsigned n);

/* Returns one of an array's elements. */
#define DRAW_OF(array) ((array)[draw(COUNT_OF(array))])

/* Called by suite.c before it runs any test: chooses the seed for all storms of this program. */
uint64_t storm_choose_seed(void);
