/* How a test waits for something that its loop brings about: never for a fixed time that ought to
 * be enough, but until the condition holds, and for half a minute at most. Nothing here has an
 * owner or states. */
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

/* One turn of the loop, which waits for an event, but for 5 ms at most: the condition may have been
 * met by a task, after which no event would wake the loop. */
void until_turn(struct loop *loop);

/* Turns the loop for `ms` of real time, and at least twenty times, because one turn may take long.
 * For checking that something does not happen. */
void turn_for(struct loop *loop, unsigned ms);
