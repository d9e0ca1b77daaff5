/* How a test waits for what its loop brings: never for a time that should be enough,
 * always for the thing itself, and half a minute at the most.
 * Nothing here has an owner or states. */
#pragma once

#include <check.h>

#include "net/loop.h"
#include "stopwatch.h"

/* Turns the program's `loop` until the condition holds; fails the test if it does not
 * within UNTIL_S seconds. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t give_up_ = clock_us() + UNTIL_S * UINT64_C(1000000);                              \
        while (!(condition)) {                                                                     \
            ck_assert_msg(clock_us() < give_up_, "never: %s", #condition);                         \
            until_turn(loop);                                                                      \
        }                                                                                          \
    } while (0)

#define UNTIL_S 30

/* One turn of the loop, which waits for an event, but 5 ms at the most: the condition
 * may have come from a task, after which nothing would wake the loop. */
void until_turn(struct loop *loop);

/* Turns the loop for `ms` of real time, and twenty times at the least, as one turn may
 * take long: for what must not happen. */
void turn_for(struct loop *loop, unsigned ms);
