#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define WALL_BEGINS_US INT64_C(1795800000000000)

struct event {
    uint64_t due, order;
    void (*run)(void *);
    void *owner;
};

static struct {
    uint64_t seed, now, order, events, digest;
    int64_t wall;
    bool is_traced, is_logged;
    struct event *heap; /* the earliest is at 0 */
    size_t count, room;
    const unsigned *left_out;
    size_t left_out_count;
    unsigned steps;
    char rule[40], words[400];
} world;

/* ------------------------------------------------------------------------- dice */

/* splitmix64 */
static uint64_t mix(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t fold(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

struct dice dice_of(const char *name, uint64_t number)
{
    struct dice d = {fold(world.seed ^ UINT64_C(0xcbf29ce484222325), name)};
    d.state ^= number * UINT64_C(0xd6e8feb86659fd93);
    (void)mix(&d.state);
    return d;
}

uint32_t dice_draw(struct dice *d, uint32_t below)
{
    return below ? (uint32_t)((mix(&d->state) >> 32) * below >> 32) : 0;
}

uint32_t dice_between(struct dice *d, uint32_t from, uint32_t to)
{
    return from + dice_draw(d, to - from + 1);
}

bool dice_chance(struct dice *d, uint32_t percent)
{
    return dice_draw(d, 100) < percent;
}

/* ----------------------------------------------------------------------- events */

static bool sooner(const struct event *a, const struct event *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void swap(size_t a, size_t b)
{
    struct event kept = world.heap[a];
    world.heap[a] = world.heap[b];
    world.heap[b] = kept;
}

void world_in(uint64_t us, void (*run)(void *owner), void *owner)
{
    if (world.count == world.room) {
        world.room = world.room ? 2 * world.room : 256;
        world.heap = must_realloc(world.heap, world.room * sizeof *world.heap);
    }
    size_t at = world.count++;
    world.heap[at] = (struct event){world.now + us, ++world.order, run, owner};
    for (; at && sooner(&world.heap[at], &world.heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(at, (at - 1) / 2);
}

uint64_t world_next_us(void)
{
    return world.count ? world.heap[0].due : UINT64_MAX;
}

void world_step(void)
{
    CHECK(world.count > 0);
    struct event first = world.heap[0];
    world.heap[0] = world.heap[--world.count];
    for (size_t at = 0, least; (least = 2 * at + 1) < world.count; at = least) {
        if (least + 1 < world.count && sooner(&world.heap[least + 1], &world.heap[least]))
            least++;
        if (!sooner(&world.heap[least], &world.heap[at]))
            break;
        swap(at, least);
    }
    if (first.due > world.now)
        world.now = first.due;
    world.events++;
    first.run(first.owner);
}

void world_pass(uint64_t us)
{
    world.now += us;
}

uint64_t world_us(void)
{
    return world.now;
}

uint64_t world_events(void)
{
    return world.events;
}

void world_jump_wall(int64_t us)
{
    world.wall += us;
}

int64_t world_wall_us(void)
{
    return WALL_BEGINS_US + world.wall + (int64_t)world.now;
}

/* -------------------------------------------------------------- trace and verdict */

static void say(const char *format, va_list arguments)
{
    char line[600];
    int n = snprintf(line, sizeof line, "%10.6f  ", (double)world.now / 1e6);
    vsnprintf(line + n, sizeof line - (size_t)n, format, arguments);
    world.digest = fold(world.digest, line);
    if (world.is_traced) {
        puts(line);
        fflush(stdout);
    }
}

void world_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void world_fault(const char *rule, const char *format, ...)
{
    va_list arguments;
    if (world_failed())
        return;
    snprintf(world.rule, sizeof world.rule, "%s", rule);
    va_start(arguments, format);
    vsnprintf(world.words, sizeof world.words, format, arguments);
    va_end(arguments);
    world_say("BROKEN %s: %s", world.rule, world.words);
}

bool world_failed(void)
{
    return *world.rule != '\0';
}

const char *world_rule(void)
{
    return world.rule;
}

const char *world_words(void)
{
    return world.words;
}

uint64_t world_digest(void)
{
    return world.digest;
}

/* ------------------------------------------------------------------------ script */

bool world_takes(const char *what)
{
    unsigned step = world.steps++;
    for (size_t i = 0; i < world.left_out_count; i++)
        if (world.left_out[i] == step)
            return false;
    world_say("step %u: %s", step, what);
    return true;
}

unsigned world_steps(void)
{
    return world.steps;
}

uint64_t world_seed(void)
{
    return world.seed;
}

bool world_is_logged(void)
{
    return world.is_logged;
}

void world_begin(const struct world_setting *s)
{
    free(world.heap);
    memset(&world, 0, sizeof world);
    world.seed = s->seed;
    world.digest = UINT64_C(0xcbf29ce484222325);
    world.is_traced = s->is_traced;
    world.is_logged = s->is_logged;
    world.left_out = s->left_out;
    world.left_out_count = s->left_out_count;
}
