/* One c-ares channel on the loop: its sockets are polled, its timeouts become one deadline, and its
 * callbacks, which may come from inside the call that asked, are deferred. Owned by dns.c. It is in
 * use, or retired: it is then freed after the last of its lookups. */
#pragma once

#include "base/failure.h"
#include "net/address.h"
#include "net/loop.h"

struct resolver;

/* Two questions under way, one for each address family. Embedded in its owner, which must call
 * lookup_forget() if it is freed before the lookup is done. */
struct lookup {
    struct resolver *by;           /* NULL: not under way */
    struct question *questions[2]; /* NULL: answered */
    struct deadline patience;      /* for the second answer, once the first has arrived */
    int status;                    /* c-ares's status of a question that failed */
    struct task report;
    void (*done)(struct lookup *); /* called from the loop, never from inside resolver_ask() */
    /* The result, valid within done(), which takes ownership of `found.at` or frees it: */
    enum failure why; /* FAILURE_NONE: there is an answer with at least one address */
    const char *words;
    bool is_denied; /* the name does not exist or has no address; the servers did not fail */
    struct dns_addresses found; /* sorted */
    bool is_partial;            /* one family's question failed, or was not answered in time */
    uint64_t ttl_ms;            /* the shortest of all records */
};

/* `servers`: "IP:PORT,…" instead of those of resolv.conf, or NULL. Logs an error and returns NULL
 * if c-ares cannot start or the servers cannot be parsed. */
struct resolver *resolver_new(struct loop *, const char *servers);

/* Asks for the IPv4 and IPv6 addresses of an absolute name. Once the addresses of one family are
 * known, or the answer is that the name does not exist, the other answer is awaited for 50 ms only
 * (RFC 8305 3), since some name servers never answer for IPv6. */
void resolver_ask(struct resolver *, struct lookup *, const char *name);

/* Completes the lookups under way, then frees the resolver; until then it is on the list
 * `retired`. */
void resolver_retire(struct resolver *, struct list *retired);

/* Ends at once. Lookups under way get no result, provided that lookup_forget() is called before the
 * loop turns. The closed handles are freed in that turn. */
void resolver_free(struct resolver *);
void resolver_free_retired(struct list *retired);
void lookup_forget(struct lookup *);
