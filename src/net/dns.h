/* Names to addresses: c-ares, the hosts file, and a cache that keeps answers for their TTL within
 * bounds and renews them before they expire, while no request waits. Owned by the daemon. A
 * name is being looked up, fresh, or past its TTL. The addresses of ten minutes are remembered,
 * so that "is this still an address of the name?" has an answer. */
#pragma once

#include "base/failure.h"
#include "net/address.h"
#include "net/loop.h"

struct dns;

/* Bounds on the TTL of answers, and for how long after it they are still used while the name
 * servers fail (SERVFAIL, REFUSED, no answer; RFC 8767), which is logged once, and once when it
 * is over. NXDOMAIN is no failure. */
struct dns_limits {
    uint64_t min_ttl_ms, max_ttl_ms, stale_ms;
};

/* NULL, and an error in the log, if c-ares cannot start. */
struct dns *dns_new(struct loop *, const struct dns_limits *);
void dns_set_limits(struct dns *, const struct dns_limits *);

/* Asks these name servers ("IP:PORT,…", IPv6 in brackets) instead of those of
 * resolv.conf, dns_reload() or not: for tests. False and a line in
 * the log, and nothing changed, if they cannot be read. */
bool dns_set_servers(struct dns *, const char *servers) MUST_CHECK;

/* Reads resolv.conf again (after SIGHUP). Lookups under way are completed. */
void dns_reload(struct dns *);
void dns_free(struct dns *); /* queries and watches must have been ended */

/* Asks for a name (or an IP literal, with or without brackets). Found in the
 * cache: true, and `now` is borrowed until the next call of this module or the
 * return to the loop. Otherwise false, and exactly one of the events comes
 * later, unless dns_cancel() (which is always fine). What they hand over is
 * borrowed until they return. The timeout is this query's own: after `timeout_ms`
 * FAILURE_DNS_TIMEOUT comes; or, if there is an answer past its TTL that may still be used, that
 * answer, half a second after the question at the latest. `localhost` and `*.localhost` are
 * loopback without a lookup (RFC 6761 6.3). */
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

/* Keeps a name fresh as long as there are connections to it, and hears of each new answer (not
 * for literals and localhost). Lives inside its owner. */
struct dns_watch {
    struct link link;
    void *owner;
    void (*on_answer)(void *owner);
    struct dns_entry *entry;
};

void dns_watch(struct dns *, struct dns_watch *, const char *host);
void dns_unwatch(struct dns_watch *);

/* True if no answer of the last ten minutes named `addr` (the port is ignored), or if an old and a
 * new answer had no address in common and the name does not rotate. False while nothing is
 * known. */
bool dns_is_gone(const struct dns_watch *, const struct sockaddr *addr);
