/* A name server for tests, on a loopback UDP port of the test's own loop. It answers A and AAAA
 * questions for the names that were set, and NXDOMAIN for others. Owned by the test; free it before
 * the loop. */
#pragma once

#include "net/loop.h"

struct fake_dns;

enum fake_reply {
    FAKE_ANSWER,
    FAKE_NXDOMAIN,
    FAKE_SERVFAIL,
    FAKE_SILENCE,
    FAKE_ONLY_A,
    FAKE_ONLY_AAAA,
    FAKE_ONLY_A_NXDOMAIN, /* and no answer for the other */
    FAKE_ONLY_AAAA_NXDOMAIN,
    FAKE_A_NXDOMAIN_AAAA_SERVFAIL,
    FAKE_AAAA_SERVFAIL,
    FAKE_AAAA_NXDOMAIN
};

struct fake_dns *fake_dns_new(struct loop *);
void fake_dns_free(struct fake_dns *);

/* "127.0.0.1:PORT", for dns_set_servers(). */
const char *fake_dns_servers(const struct fake_dns *);

/* Sets the answer for a name: addresses of both families, separated by commas ("" for none), and
 * their TTL in seconds. */
void fake_dns_set(struct fake_dns *, const char *name, const char *addresses, unsigned ttl);

/* Sets how questions for a name (which must have been set) are answered; FAKE_ONLY_A leaves its
 * AAAA questions unanswered. */
void fake_dns_reply(struct fake_dns *, const char *name, enum fake_reply);

/* How often the IPv4 addresses of a name were queried. */
unsigned fake_dns_asked(const struct fake_dns *, const char *name);
