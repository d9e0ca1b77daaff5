/* One c-ares channel on the loop: its sockets are polled, its timeouts are a deadline, and its
 * callbacks, which may come from inside the call that asked, are deferred. Owned by dns.c. It is
 * in use, or retired: then it ends with the last of its lookups. */
#pragma once

#include "base/failure.h"
#include "net/address.h"
#include "net/loop.h"

struct resolver;

/* Two questions under way, one for each address family. Lives inside its owner, which must
 * outlive it or forget it. */
struct lookup {
    struct resolver *by;           /* NULL: not under way */
    struct question *questions[2]; /* NULL: answered */
    struct deadline patience;      /* for the second answer, once the first has come */
    int status;                    /* of a question that failed, as c-ares has it */
    struct task told;
    void (*done)(struct lookup *); /* on the loop, never from resolver_ask() */
    /* What came, valid within done(), which takes `found.at` or frees it: */
    enum failure why; /* FAILURE_NONE: an answer, with at least one address */
    const char *words;
    bool is_denied; /* there is no such name, or it has no address: no failure of the servers */
    struct dns_addresses found; /* sorted */
    bool is_partial;            /* one family's question failed, or was not answered in time */
    uint64_t ttl_ms;            /* the shortest of all records */
};

/* `servers`: "IP:PORT,…" instead of resolv.conf's, or NULL. NULL and a line in
 * the log if c-ares cannot start, or the servers cannot be read. */
struct resolver *resolver_new(struct loop *, const char *servers);

/* Asks for the IPv4 and IPv6 addresses of an absolute name. Once one family is known, or the name
 * is said not to exist, the other is waited for 50 ms (RFC 8305 3), since some name servers
 * never answer for IPv6. */
void resolver_ask(struct resolver *, struct lookup *, const char *name);

/* Completes the lookups under way, then frees; until then it is on the list `retired`. */
void resolver_retire(struct resolver *, struct list *retired);

/* End at once: what is under way is told nothing, if lookup_forget() follows
 * before the loop turns. Closed handles are freed as it does. */
void resolver_free(struct resolver *);
void resolver_free_retired(struct list *retired);
void lookup_forget(struct lookup *);
