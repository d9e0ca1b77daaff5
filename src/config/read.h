/* Reads the text of a file with libconfuse into blocks of values, each with its line, and checks
 * each value by itself. All memory comes from the caller's arena. A file has no states other than
 * whether it is complete. */
#pragma once

#include "base/arena.h"
#include "config/complaint.h"
#include "config/directive.h"

/* A value as written in the file. */
struct given {
    const struct directive *directive;
    const char *text;
    int line;
    bool first; /* the first value of its list */
    bool bad;   /* there was a complaint about it */
};

struct given_list {
    bool set; /* the block sets the directive, possibly to an empty list */
    size_t count;
    struct given **at;
};

/* A block of the file, or the directives outside any block. */
struct block {
    const char *name; /* name of an upstream or bot; prefix of a path */
    int line;
    struct given_list rows[ALL_ROWS];
    struct block **paths; /* of an upstream */
    size_t path_count;
};

struct file {
    struct block globals, defaults; /* defaults.line is 0 if there is no such block */
    struct block **upstreams, **bots;
    size_t upstream_count, bot_count;
    bool complete; /* no syntax error stopped the reading */
};

/* Reads the text and reports errors to the complaints. Thread-safe, but only one call reads at a
 * time, because libconfuse's lexer is global. */
void file_read(struct file *, struct arena *, struct span text, struct complaints *);

/* The line to name for a directive: that of its first value, otherwise that of the block. */
int block_line(const struct block *, enum directive_row);

/* Was there a complaint about one of its values? */
bool block_is_bad(const struct block *, enum directive_row);
