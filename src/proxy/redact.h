/* How secrets are kept out of every log and page (contract 11, "Secrets"). Targets are
 * looked at decoded, nested encodings too (a whole URL inside a parameter); when in doubt
 * more is hidden, never less. What is hidden reads "***"; control bytes come out escaped.
 * The cost is linear in the target's length. Pure functions. */
#pragma once

#include "base/text.h"
#include "config/config.h"

/* Appends the target of a request to an upstream. Hidden are
 * - values of parameters that are on the list, or whose names contain key, sig, token,
 *   secret, pass, auth, hmac, jwt or session;
 * - userinfo;
 * - in paths: what follows "bot<digits>:", segments behind /ws/, /stream/ and ?streams=
 *   that are no stream names with an "@", and any segment of 32 and more characters that
 *   mixes letters and digits, but for a UUID. */
void redact_target(struct text *, const struct config_names *params, struct span target);

/* Likewise of a request that goes to no upstream: its first segment may be anything, a
 * listen key too, and is hidden if it is longer than 16 characters. */
void redact_unrouted(struct text *, const struct config_names *params, struct span target);

/* May a first segment that names nothing be shown: is it short enough, and plain? */
bool redact_shows_segment(struct span);
