#include "until.h"

#define WAIT_MS 5
#define TURNS 20

/* Sets the deadline again: the loop's clock may be so far behind that the first deadline passes
 * before the turn begins to wait. */
static void wake(struct deadline *d)
{
    deadline_in(d, WAIT_MS);
}

void until_turn(struct loop *loop)
{
    struct deadline alarm;
    deadline_init(&alarm, loop, wake);
    deadline_in(&alarm, WAIT_MS);
    loop_turn(loop, true);
    deadline_stop(&alarm);
}

void turn_for(struct loop *loop, unsigned ms)
{
    uint64_t until = clock_us() + ms * UINT64_C(1000);
    for (int turns = 0; turns < TURNS || clock_us() < until; turns++) {
        loop_turn(loop, false);
        uv_sleep(1);
    }
}
