/* The ways out of an upstream (`exits`), as written in the configuration: a source address, or
 * another proxy. Pure, without states; results are kept in the given arena, and belong to its
 * owner. */
#pragma once

#include "base/arena.h"
#include "config/settings.h"

/* A bare IP address, "socks5://[user[:password]@]host:port" (or socks5h://) or
 * "http://[user[:password]@]host:port". User and password are percent-decoded once (RFC 3986
 * 3.2.1). False: `why` is set to what is wrong, in words that do not repeat the text. */
bool exits_read(struct arena *, const char *text, struct config_exit *,
                const char **why) MUST_CHECK;

/* Are they the same way out, however they are written? The password does not count. */
bool exits_same(const struct config_exit *, const struct config_exit *);

/* A hash of what makes it another way out than others: the same in every process, for every
 * spelling and every password. */
uint64_t exits_hash(const struct config_exit *);
