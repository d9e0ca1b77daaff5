/* PgBouncer's verbs as commands (contract 1): said to a running daemon over HTTP,
 * answered with what became of it. For the command line only. */
#pragma once

#include "base/check.h"

/* Is this a name that an upstream can have? */
bool verb_takes(const char *upstream);

/* Says `verb` ("pause") to an upstream, or (NULL) to all of them; a drain of all
 * ends the daemon. Prints a line for each upstream meant, or one on stderr.
 * Returns the exit code: 69 if the daemon cannot be asked or refuses. */
int verb_say(const char *url, const char *verb, const char *upstream);

/* Has the configuration read again, and waits for what comes of it: "reloaded", or
 * the errors on stderr. The exit code: 78 if it was refused, 69 if the daemon cannot
 * be asked or ends. */
int verb_reload(const char *url);
