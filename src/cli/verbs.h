/* PgBouncer's verbs as commands (contract 1): sends them to a running daemon over HTTP and
 * prints the outcome. For the command line only. Owns nothing between calls; stateless. */
#pragma once

#include "base/check.h"

/* What is asked of the daemon. */
struct verb_call {
    const char *verb;     /* "pause" */
    const char *upstream; /* NULL: all of them; a drain of all ends the daemon */
    const char *bot;      /* freeze and unfreeze: this one alone; NULL: all */
};

/* Can this be the name of what the verb is for? An upstream's or, to freeze and unfreeze, that of
 * a host without a block. */
bool verb_takes(const char *verb, const char *upstream);

/* Is it one of the two verbs that a bot can be named to? */
bool verb_takes_bot(const char *verb);

/* Applies the verb. Prints a line for each upstream concerned, or an error on stderr, where it
 * also warns of tunnels that a freeze does not stop. Returns the exit code: 69 if the daemon cannot
 * be reached or refuses. */
int verb_say(const char *url, const struct verb_call *);

/* Makes the daemon reload its configuration, and waits for the outcome: prints "reloaded", or
 * the errors on stderr. Returns the exit code: 78 if the configuration was refused, 69 if the
 * daemon cannot be reached or ends. */
int verb_reload(const char *url);
