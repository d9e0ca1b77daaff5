/* What the tests of net/dns.h share: a loop, a fake name server, a resolver that uses that server,
 * queries and watches. The fixture makes one of each per test. */
#pragma once

#include "fake_dns.h"
#include "net/dns.h"
#include "until.h"

#define LONG_MS 8000
#define MINUTES(n) ((uint64_t)(n)*60 * 1000)

extern struct loop *loop;
extern struct fake_dns *server;
extern struct dns *dns;

/* A query and its result. */
struct query_recorder {
    struct dns_query query;
    unsigned found, failed;
    char addresses[200], detail[200];
    enum failure why;
    struct query_recorder *cancels, *again; /* called from its callback */
};

struct watcher {
    struct dns_watch watch;
    unsigned answers;
    bool leaves;
};

void setup(void);
void teardown(void);

/* Queries. Returns true if the result was available at once; it is then in `addresses`. */
bool ask(struct query_recorder *, const char *host, uint64_t timeout_ms);

/* Queries and waits for the result. */
struct query_recorder resolve(const char *host);

void watch(struct watcher *, const char *host);
bool is_gone(const struct watcher *, const char *ip);
