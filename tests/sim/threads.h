/* The daemon's threads as coroutines on its one real thread: they run until they wait for a condition
 * or for the disk, and go on when the seed says so. Takes the place of libuv's threads, mutexes and
 * condition variables at link time. A thread is runnable, waiting or ended. */
#pragma once

#include "tests/sim/world.h"

/* Called by a thread: it goes on so much later. On the main thread: the time passes. */
void threads_sleep(uint64_t us);
bool threads_on_main(void);

/* The run is over, wherever the daemon is: leaves the process by the way that was set. Does not
 * return. */
_Noreturn void threads_abandon(void);
void threads_on_abandon(void (*leave)(void));

/* All threads but the main one are gone, and leave(), which does not return, is called on that. */
_Noreturn void threads_forget(void (*leave)(void));
