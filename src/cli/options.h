/* What the command line says: which command, and its options, with the errors of both. Owned by
 * the command, on its stack; it borrows the words of the command line and has no states. */
#pragma once

#include <getopt.h>
#include <sysexits.h>

#include "base/text.h"

#define DEFAULT_PATH SYSCONFDIR "/trunkline/trunkline.conf"
#define DEFAULT_URL "http://127.0.0.1:8642"

enum takes { TAKES_NOTHING, TAKES_WORD, TAKES_WORDS };

struct command {
    const char *name; /* NULL: no command, the daemon itself */
    int (*run)(int argc, char **argv, const struct command *);
    const char *usage;
    enum takes takes; /* as arguments beside the options */
};

/* The options given. */
struct options {
    const char *path, *url, *upstream, *bot, *sort, *since; /* NULL: not given */
    const char *word; /* the first argument; NULL: not given */
    char **words;     /* all of them */
    size_t word_count;
    bool verbose, json, watch, all, rare, once, open, unknown, directives, version;
    int exit_code; /* -1: go on; otherwise the command ends with it */
};

/* Reads the options of any command; `letters` and `names` (getopt_long(3)) say which it takes.
 * --help prints the command's usage. */
struct options options_read(const struct command *, int argc, char **argv, const char *letters,
                            const struct option *names);

/* Prints what is wrong ("unknown option") with which word. Returns the exit code, EX_USAGE. */
int misused(const struct command *, const char *what, const char *which);

/* Likewise, for a word that is none of `words` (the last is NULL), one of which it may stand
 * for. */
int misspelt(const struct command *, const char *what, const char *which, const char *const *words);

/* Output that was buffered may still fail, on a full disk. Returns `exit_code`, or EX_IOERR with
 * a message. */
int end_of_output(int exit_code);

/* Appends the URL of the daemon that the options name: "http://HOST:PORT" or "unix:/path".
 * Returns an exit code: EX_OK, or another with a message. */
int options_daemon(const struct options *, const struct command *, struct text *url);

/* Prints an error of a configuration file: for config_load(). */
void options_complain(void *unused, const char *message);
