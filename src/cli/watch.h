/* A page about a running daemon, refreshed in place each second like top(1), for the
 * commands that take --watch. To anything but a terminal it writes plain text, a block
 * for each look. For the command line only; it owns the terminal, one page at a time, until it ends. */
#pragma once

#include "base/text.h"

struct page_form {
    size_t columns; /* no line is wider; 0: as wide as it takes */
    size_t rows;    /* no more lines; 0: as many as it takes */
    bool colours;   /* ECMA-48 SGR sequences */
};

struct watched {
    /* What is requested of the daemon; it may be another document after each key. */
    const char *(*path)(const void *context);
    /* Appends the page, each line ended by '\n'. `before` is the look before this one; it
     * may be empty, or of a daemon that has restarted since. False: `now` is not what it
     * should be; `error` says why. */
    bool (*compose)(const void *context, struct span before, struct span now,
                    const struct page_form *, struct text *out, char *error, size_t size);
    /* A key was pressed; false: it has no meaning. NULL: no key has. "q" and ^D are not passed. */
    bool (*on_key)(void *context, char key);
    void *context;
};

/* Watches the daemon at `url` until ^C, SIGTERM, SIGHUP, "q" or the end of the terminal's
 * input, through which the terminal becomes what it was. A daemon that does not answer the first
 * request is an error; one that stops answering later is reported, and asked again. Returns the
 * exit code: 0, 69 with a message when there was no first answer, or 74 when the page cannot be
 * written. */
int watch_run(const char *url, const struct watched *);
