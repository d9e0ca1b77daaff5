/* Addresses to listen on or to connect to, and networks, as written in the configuration. Pure,
 * without states; strings are kept in the given arena. */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "config/settings.h"

/* "IP:PORT", "[IP6]:PORT" or "unix:/path". False: `why` is set to what is wrong. */
bool endpoint_read(struct arena *, const char *text, struct config_address *,
                   const char **why) MUST_CHECK;

/* Is it a unix socket, in 127.0.0.0/8 (or IPv4-mapped from there), or ::1? */
bool endpoint_is_local(const struct config_address *);

/* Are the two addresses the same? */
bool endpoint_is(const struct config_address *, const struct config_address *);

/* Is it impossible to listen on both? Two addresses collide if they are the same, or if one is the
 * unspecified address for the other's family and port. */
bool endpoint_collides(const struct config_address *, const struct config_address *);

/* "IP" or "IP/PREFIX"; bits beyond the prefix are cleared. False: `why` is set to what is
 * wrong. cidr_print() appends it as "IP/PREFIX". */
bool cidr_read(const char *text, struct config_cidr *, const char **why) MUST_CHECK;
void cidr_print(const struct config_cidr *, struct text *out);
