/* Storms: many rounds of random events against what a test has set up, and rules that
 * must hold after each. A program runs one storm at a time, which draws from here.
 * The n-th storm of a program is seeded by STORM_SEED + n: a number, 1 if it is not set,
 * or `random` for another one each time. A program of which a test failed prints it, so
 * that STORM_SEED=seed CK_RUN_CASE=test repeats what happened.
 * Listed by STORM(test, times), see suite.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Seeds the storm of this number, a test's _i. Nothing may be drawn before. */
void storm_seed(int number);

/* Runs `round` so many times, and `check` after each (NULL: not). */
void storm(unsigned rounds, void (*round)(void), void (*check)(void));

/* From 0 up to but not including `below`, which is at least 1. */
unsigned draw(unsigned below);

/* True once in n draws. */
bool one_in(unsigned n);

/* One of an array's entries. */
#define DRAW_OF(array) ((array)[draw(COUNT_OF(array))])

/* What suite.c calls before it runs anything: the seed of all storms of this program. */
uint64_t storm_choose_seed(void);
