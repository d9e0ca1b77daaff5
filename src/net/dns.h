/* Names to addresses: c-ares, the hosts file, and a cache that keeps answers for their TTL within
 * bounds and renews them before they expire, so that no request has to wait for that. Owned by the
 * daemon. A name is being looked up, fresh, or past its TTL. The addresses of the last ten minutes
 * are remembered, which tells whether a connection's address still belongs to its name. */
#pragma once

#include "base/failure.h"
#include "net/address.h"
#include "net/loop.h"

struct dns;

/* Bounds on the TTL of answers, and how long after their TTL they are still used while the name
 * servers fail (SERVFAIL, REFUSED, no answer; RFC 8767). The use of old answers is logged once when
 * it begins and once when it ends. NXDOMAIN does not count as a failure. */
struct dns_limits {
    uint64_t min_ttl_ms, max_ttl_ms, stale_ms;
};

/* NULL, and an error in the log, if c-ares cannot start. */
struct dns *dns_new(struct loop *, const struct dns_limits *);
void dns_set_limits(struct dns *, const struct dns_limits *);

/* Uses these name servers ("IP:PORT,…", IPv6 in brackets) instead of those of resolv.conf, even
 * after dns_reload(): for tests. If they cannot be parsed, returns false, logs an error and changes
 * nothing. */
bool dns_set_servers(struct dns *, const char *servers) MUST_CHECK;

/* Reads resolv.conf again (after SIGHUP). Lookups under way are completed. */
void dns_reload(struct dns *);
void dns_free(struct dns *); /* there must be no queries or watches */

/* Resolves a name (or an IP literal, with or without brackets). If the name is in the cache,
 * returns true, and `now` is borrowed until the next call of this module or the return to the loop.
 * Otherwise returns false, and exactly one of the events follows, unless dns_cancel() is called
 * (which is always allowed). Their arguments are borrowed until they return. The timeout is this
 * query's own: after `timeout_ms` it fails with FAILURE_DNS_TIMEOUT. If there is an answer past its
 * TTL that may still be used, the query gets that answer instead, at most half a second after this
 * call. `localhost` and `*.localhost` are loopback without a lookup (RFC 6761 6.3). */
struct dns_query {
    struct link link;
    struct deadline deadline;
    void *owner;
    void (*on_found)(void *owner, const struct dns_addresses *);
    void (*on_failed)(void *owner, enum failure why, const char *detail);
    struct dns_entry *entry; /* NULL: not under way */
};

bool dns_resolve(struct dns *, struct dns_query *, const char *host, uint64_t timeout_ms,
                 struct dns_addresses *now);
void dns_cancel(struct dns_query *);

/* Keeps a name fresh while there are connections to it; `on_answer` is called for each new answer
 * (but never for literals and localhost). Embedded in its owner. */
struct dns_watch {
    struct link link;
    void *owner;
    void (*on_answer)(void *owner);
    struct dns_entry *entry;
};

void dns_watch(struct dns *, struct dns_watch *, const char *host);
void dns_unwatch(struct dns_watch *);

/* Returns true if no answer of the last ten minutes contained `addr` (the port is ignored), or if
 * an old and a new answer had no address in common and the name does not rotate. Returns false
 * while nothing is known. */
bool dns_is_gone(const struct dns_watch *, const struct sockaddr *addr);
