#include "storm_fixture.h"

#include <check.h>
#include <string.h>

struct storm_client clients[CLIENTS];
unsigned begun, answered, failed, left;

void clients_init(void)
{
    memset(clients, 0, sizeof clients);
    begun = answered = failed = left = 0;
}

bool is_active(const struct storm_client *c)
{
    return c->used && c->its.recorder.exchange;
}

unsigned count_active(void)
{
    unsigned active = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        active += is_active(&clients[i]);
    return active;
}

void use(struct storm_client *c)
{
    c->used = true;
    begun++;
}

enum recorder_event sometimes(void)
{
    return one_in(10) ? (enum recorder_event)draw(5) : RECORDER_NONE;
}

void pause_client(struct storm_client *c)
{
    exchange_pause(c->its.recorder.exchange);
    c->paused = true;
}

void resume_client(struct storm_client *c)
{
    c->its.recorder.pause_in = RECORDER_NONE;
    if (c->paused)
        exchange_resume(c->its.recorder.exchange);
    c->paused = false;
}

static void reap_one(struct storm_client *c, void (*see)(const struct test_client *))
{
    const struct recorder *r = &c->its.recorder;
    ck_assert_uint_le(r->ended + r->failed, 1);
    answered += r->ended;
    failed += r->failed;
    left += !r->ended && !r->failed;
    if (r->ended && see)
        see(&c->its);
    clear(&c->its);
    c->used = c->paused = false;
}

void reap(void (*see)(const struct test_client *))
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i].used && !is_active(&clients[i]))
            reap_one(&clients[i], see);
}

void cancel_all(bool only_paused)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (is_active(&clients[i]) && (clients[i].paused || !only_paused))
            recorder_cancel(&clients[i].its.recorder);
}

void let_end(unsigned turns, uint64_t step_ms)
{
    while (turns--) {
        loop_skip(loop, step_ms);
        loop_turn(loop, false);
    }
}
