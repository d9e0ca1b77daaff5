/* Who asks: the names that requests bear in Trunkline-Client, and what each bot
 * asked for and burnt. Embedded in the daemon's totals; bounded: the first
 * BOTS_MAX names, the rest together as `other`. Counters only grow. */
#pragma once

#include "base/span.h"

#define BOTS_MAX 64
#define BOT_NAME_MAX 64

struct bot {
    char name[BOT_NAME_MAX + 1];
    uint64_t requests, failed;
    uint64_t weight; /* by which the weight header grew with its answers */
};

struct bots {
    struct bot at[BOTS_MAX];
    size_t count;
    struct bot other;
};

/* The bot of that name, new ones included; `other` for a name too many, or one that
 * is empty, longer than BOT_NAME_MAX or no token (RFC 9110 5.6.2). */
struct bot *bots_find(struct bots *, struct span name);

/* Tells all of them, `other` last, if anybody was counted there. */
void bots_each(const struct bots *, void (*visit)(void *context, const struct bot *),
               void *context);
