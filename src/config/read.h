/* Reads a file's text with libconfuse into blocks of given values, each with
 * its line, checked one by one. Lives in the given arena. */
#pragma once

#include "base/arena.h"
#include "config/complaint.h"
#include "config/directive.h"

struct given {
    const struct directive *directive;
    const char *text;
    int line;
    bool first; /* of its list */
    bool bad;   /* was complained of */
};

struct given_list {
    bool set; /* the directive stands in the block, maybe as an empty list */
    size_t count;
    struct given **at;
};

/* The file outside of blocks, or what stands in one. */
struct block {
    const char *name; /* of an upstream; the prefix of a path */
    int line;
    struct given_list rows[ALL_ROWS];
    struct block **paths; /* of an upstream */
    size_t path_count;
};

struct file {
    struct block globals, defaults; /* defaults.line 0: there is none */
    struct block **upstreams;
    size_t upstream_count;
    bool complete; /* no syntax error ended the reading */
};

void file_read(struct file *, struct arena *, struct span text, struct complaints *);

/* The line to name for a directive: its first value's, else its block's. */
int block_line(const struct block *, enum directive_row);

/* Was one of its values complained of already? */
bool block_is_bad(const struct block *, enum directive_row);
