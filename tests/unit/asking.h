/* What the tests of net/dns.h share: a loop, a fake name server, a resolver
 * that asks it, askers and watchers. One of each per test, made by the fixture. */
#pragma once

#include "fake_dns.h"
#include "net/dns.h"

#define LONG_MS 8000
#define MINUTES(n) ((uint64_t)(n)*60 * 1000)

extern struct loop *loop;
extern struct fake_dns *server;
extern struct dns *dns;

/* An asker, and what it heard. */
struct asker {
    struct dns_query query;
    unsigned found, failed;
    char addresses[200], detail[200];
    enum failure why;
    struct asker *cancels, *again; /* done in its callback */
};

struct watcher {
    struct dns_watch watch;
    unsigned answers;
    bool leaves;
};

void asking_setup(void);
void asking_teardown(void);

/* Turns the loop until it holds. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        struct deadline guard;                                                                     \
        deadline_init(&guard, loop, asking_guard);                                                 \
        deadline_in(&guard, 30000);                                                                \
        while (!(condition))                                                                       \
            loop_turn(loop, true);                                                                 \
        deadline_stop(&guard);                                                                     \
    } while (0)

void asking_guard(struct deadline *);

/* Turns the loop for a while, and often enough for the fake server to answer. */
void settle(unsigned ms);

/* Asks. True: answered at once; `addresses` says what. */
bool ask(struct asker *, const char *host, uint64_t timeout_ms);

/* Asks and waits for the answer. */
struct asker resolve(const char *host);

void watch(struct watcher *, const char *host);
bool is_gone(const struct watcher *, const char *ip);
