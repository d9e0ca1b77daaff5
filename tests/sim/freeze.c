#include "tests/sim/freeze.h"

#include "tests/sim/admin.h"
#include "tests/sim/life.h"
#include "tests/sim/queue.h"

#define SECOND_US 1000000

static uint64_t since_us; /* 0: none is on */
static uint16_t port;
static unsigned life; /* the one that was told */
static struct dice dice;

static void thaw(void *owner)
{
    (void)owner;
    since_us = 0;
    admin_say(port, NULL, "unfreeze", NULL);
}

static void on_frozen(int status)
{
    if (status == 204 && life == life_number() && life_is_on()) {
        since_us = world_us();
        world_in(dice_draw(&dice, SECOND_US), thaw, NULL);
    }
}

static void begin(void *owner)
{
    (void)owner;
    life = life_number();
    if (world_takes("all is frozen"))
        admin_say(port, NULL, "freeze", on_frozen);
}

void freeze_plan(uint16_t daemon_port, struct dice *d)
{
    port = daemon_port;
    queue_may_be_held();
    dice = *d;
    world_in(dice_draw(&dice, 2 * SECOND_US), begin, NULL);
}

void freeze_judge(uint64_t asked_us)
{
    if (since_us && asked_us > since_us)
        world_fault("frozen", "a tunnel that was asked for %.3f s after a freeze is open",
                    (double)(asked_us - since_us) / 1e6);
}

void freeze_forget(void)
{
    since_us = 0;
}
