/* The simulated world of one seed: its time, its randomness, what is to happen next, its trace and its
 * verdict. One for the whole process, since the functions of libc that it stands behind have no
 * context either. Time is in microseconds since the beginning of the run and moves only from one
 * event to the next, or by what a turn of the daemon's loop is said to cost. It runs until a rule is
 * broken, or until its script has ended. */
#pragma once

#include "base/check.h"

/* A source of random numbers that depends on the seed, a name and a number only, so that leaving
 * something out of a run does not change what others draw. */
struct dice {
    uint64_t state;
};

struct dice dice_of(const char *name, uint64_t number);
uint32_t dice_draw(struct dice *, uint32_t below);                /* 0 if `below` is 0 */
uint32_t dice_between(struct dice *, uint32_t from, uint32_t to); /* both included */
bool dice_chance(struct dice *, uint32_t percent);

/* Starts a world. `left_out` is a sorted list of steps (see world_takes) that do not happen. */
struct world_setting {
    uint64_t seed;
    bool is_traced; /* print what happens */
    bool is_logged; /* and let the daemon print its log, at level debug */
    const unsigned *left_out;
    size_t left_out_count;
};

void world_begin(const struct world_setting *);
uint64_t world_seed(void);
bool world_is_logged(void);
uint64_t world_us(void);

/* The steps of a script are numbered in the order in which they are asked for. Returns false for one
 * that was left out: this is how a failing run is made smaller. */
bool world_takes(const char *what);
unsigned world_steps(void);

/* Calls run(owner) so much later. An event cannot be taken back: the owner outlives it. */
void world_in(uint64_t us, void (*run)(void *owner), void *owner);

/* When the next event is due (UINT64_MAX: none is), and runs it, with the time set to it. */
uint64_t world_next_us(void);
void world_step(void);

/* Moves the time ahead, without running what is due by then. */
void world_pass(uint64_t us);

/* How many events ran so far. */
uint64_t world_events(void);

/* The wall clock may jump: microseconds by which it is ahead of its own beginning plus world_us(). */
void world_jump_wall(int64_t us);
int64_t world_wall_us(void);

/* One line, with the time. What it says must not depend on addresses or on the real time: a digest of
 * all lines tells whether two runs were the same. */
void world_say(const char *format, ...) PRINTF_LIKE(1, 2);
uint64_t world_digest(void);

/* A rule is broken; the first one counts. */
void world_fault(const char *rule, const char *format, ...) PRINTF_LIKE(2, 3);
bool world_failed(void);
const char *world_rule(void); /* "" if none is broken */
const char *world_words(void);
