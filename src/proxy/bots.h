/* The bots: the names that requests give in Trunkline-Client, and how many requests and how
 * much weight each of them used. Embedded in the daemon's totals, and bounded: the first
 * BOTS_MAX names have an entry, all others share `other`. No states; counters only grow. */
#pragma once

#include "base/span.h"

#define BOTS_MAX 64
#define BOT_NAME_MAX 64

struct bot {
    char name[BOT_NAME_MAX + 1];
    uint64_t requests, failed;
    uint64_t weight; /* by how much weight_header grew with the responses to it */
};

struct bots {
    struct bot at[BOTS_MAX];
    size_t count;
    struct bot other;
};

/* The bot of that name, which is added if it is new. `other` if there are too many, or if
 * the name is empty, longer than BOT_NAME_MAX or not a token (RFC 9110 5.6.2). */
struct bot *bots_find(struct bots *, struct span name);

/* Can a bot have that name? It is a token of at most BOT_NAME_MAX bytes. */
bool bots_is_name(struct span name);

/* Visits all for which a request was counted; `other` last. */
void bots_each(const struct bots *, void (*visit)(void *context, const struct bot *),
               void *context);
