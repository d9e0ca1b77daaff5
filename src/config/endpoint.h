/* Addresses to listen on or to dial, and networks, as the configuration writes
 * them. Pure; texts live in the given arena. */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "config/settings.h"

/* "IP:PORT", "[IP6]:PORT" or "unix:/path". False: `why` has what is wrong. */
bool endpoint_read(struct arena *, const char *text, struct config_address *,
                   const char **why) MUST_CHECK;

/* A unix socket, 127.0.0.0/8, ::1, or the mapped form of the former? */
bool endpoint_is_local(const struct config_address *);
bool endpoint_is(const struct config_address *, const struct config_address *);

/* Can only one of the two be listened on: are they the same, or is one the unspecified
 * address of the other's family and port? */
bool endpoint_collides(const struct config_address *, const struct config_address *);

/* "IP[/PREFIX]"; bits beyond the prefix are cleared. */
bool cidr_read(const char *text, struct config_cidr *, const char **why) MUST_CHECK;
void cidr_print(const struct config_cidr *, struct text *out);
