/* The simulated store of budgets (Redis): it listens, speaks RESP, wants a login or none, runs the
 * script on its ledger, and misbehaves: it is late, hangs, resets, closes, answers in pieces, with an
 * error or garbage, forgets the script, is down, and begins again, empty or not. One for the process;
 * it lives as long. */
#pragma once

#include "tests/sim/ledger.h"
#include "tests/sim/net.h"

#define STORE_ADDRESS 0x0a030001
#define STORE_PORT 6379
#define STORE_NAME                                                                                 \
    {                                                                                              \
        "store.sim", STORE_ADDRESS                                                                 \
    }

struct store_plan {
    const char *password; /* NULL: it wants none */
    bool refuses_login;   /* it has another one */
    uint32_t trouble;     /* percent of commands that do not get a plain answer */
    uint32_t late_us;     /* a late answer comes after this time at least */
};

void store_begin(const struct store_plan *);

/* Something happens to it: it is down or out of reach for a while, or begins again. */
void store_fail(struct dice *);

/* Commands that have come; connections that were opened, and of these those that have ended. */
unsigned store_asked(void);
unsigned store_opened(void);
unsigned store_lost(void);

/* Has it done nothing wrong so far, nor has the network on the way to it? */
bool store_is_blameless(void);

/* When nobody can reach it. */
bool store_is_down(void);
