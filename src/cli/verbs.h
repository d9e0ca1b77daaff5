/* PgBouncer's verbs as commands (contract 1): sends them to a running daemon over HTTP and
 * prints the outcome. For the command line only. Owns nothing between calls; stateless. */
#pragma once

#include "base/check.h"

/* Can an upstream have this name? */
bool verb_takes(const char *upstream);

/* Applies `verb` ("pause") to an upstream, or (NULL) to all of them; a drain of all ends the
 * daemon. Prints a line for each upstream concerned, or an error on stderr. Returns the exit
 * code: 69 if the daemon cannot be reached or refuses. */
int verb_say(const char *url, const char *verb, const char *upstream);

/* Makes the daemon reload its configuration, and waits for the outcome: prints "reloaded", or
 * the errors on stderr. Returns the exit code: 78 if the configuration was refused, 69 if the
 * daemon cannot be reached or ends. */
int verb_reload(const char *url);
