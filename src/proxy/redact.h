/* Redaction: keeps secrets out of every log and page (contract 11, "Secrets"). Targets are
 * decoded for it, nested encodings included (a whole URL inside a parameter); in case of
 * doubt more is redacted, never less. What is redacted becomes "***", and control bytes are
 * escaped. The cost is linear in the length of the target. Pure functions. */
#pragma once

#include "base/text.h"
#include "config/config.h"

/* Appends the target of a request to an upstream. Redacted are
 * - values of parameters whose names are on the list, or contain key, sig, token, secret,
 *   pass, auth, hmac, jwt or session;
 * - userinfo;
 * - in paths: what follows "bot<digits>:"; segments after /ws/, /stream/ and ?streams= that
 *   are not stream names with an "@"; and any segment of 32 or more characters that mixes
 *   letters and digits, unless it is a UUID. */
void redact_target(struct text *, const struct config_names *params, struct span target);

/* Is it so plain that redact_target() would append it as it is? False: perhaps it would, too. */
bool redact_shows_target(struct span target);

/* Likewise for a request that goes to no upstream. Its first segment may be anything, even a
 * listen key, and is redacted if it is longer than 16 characters. */
void redact_unrouted(struct text *, const struct config_names *params, struct span target);

/* May a first segment that names no upstream be shown? It may if it is short and plain. */
bool redact_shows_segment(struct span);
