/* Socket addresses as values: literals, comparison, names, the order in which they are dialled.
 * Pure functions, without owner or state; a list belongs to the code that filled it. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/check.h"

struct dns_addresses {
    struct sockaddr_storage *at; /* port 0; sorted for dialling, RFC 8305 4 */
    size_t count;
};

/* An IPv4 or IPv6 literal (the latter with or without brackets); false for
 * anything else. Port 0. */
bool address_parse(const char *host, struct sockaddr_storage *out);

/* The loopback addresses, if the name (lower case, no trailing dot) is `localhost` or below it
 * (RFC 6761 6.3); else false. */
bool address_localhost(const char *name, struct sockaddr_storage out[2]);

/* The IP address alone, without brackets or port: "::1". "" of any other family. */
void address_literal(const struct sockaddr *, char text[INET6_ADDRSTRLEN]);

/* An IPv4 address that an IPv6 socket reports in mapped form (RFC 4291 2.5.5.2), written to `to` as
 * a plain IPv4 address; any other address is returned as given. */
const struct sockaddr *address_unmap(const struct sockaddr *, struct sockaddr_in *to);

/* Same family and same IP address; ports are ignored. */
bool address_same(const struct sockaddr *, const struct sockaddr *);
void address_set_port(struct sockaddr_storage *, uint16_t port);

/* "127.0.0.1:443", "[::1]:443" or "unix:/path". */
#define ADDRESS_TEXT 128
void address_format(const struct sockaddr_storage *, char text[ADDRESS_TEXT]);

/* Returns true if `addr` is in the list. */
bool addresses_have(const struct dns_addresses *, const struct sockaddr *addr);

/* Alternates the families, IPv6 first; the order within a family stays (RFC 8305 4). */
void addresses_interleave(struct dns_addresses *);
