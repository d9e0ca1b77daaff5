/* The rows of config.def as a table: what the reader, the checks and the dump
 * walk over. Constant, owned by nobody; globals come first, then the rows of
 * defaults {} and upstream {}. */
#pragma once

#include "base/check.h"

enum directive_kind {
    KIND_DURATION,
    KIND_SIZE,
    KIND_COUNT,
    KIND_BOOL,
    KIND_TEXT,
    KIND_NAMES,
    KIND_ADDRESSES,
    KIND_ADDRESS,
    KIND_CIDRS,
    KIND_PORTS,
    KIND_STATUSES,
    KIND_RATE,
    KIND_CHOICE
};

/* ROW_GLOBAL_max_clients, ROW_min_idle: where a directive stands in the table. */
enum directive_row {
#define GLOBAL(kind, directive, value, meaning) ROW_GLOBAL_##directive,
#define UPSTREAM(kind, directive, value, meaning)
#include "config/config.def"
#undef GLOBAL
#undef UPSTREAM
    GLOBAL_ROWS,
    ROW_BEFORE_UPSTREAM = GLOBAL_ROWS - 1,
#define GLOBAL(kind, directive, value, meaning)
#define UPSTREAM(kind, directive, value, meaning) ROW_##directive,
#include "config/config.def"
#undef GLOBAL
#undef UPSTREAM
    ALL_ROWS
};

struct directive {
    enum directive_kind kind;
    const char *name;
    const char *value; /* the default, as written in a file; NULL: none */
    size_t offset;     /* of its field, in struct config or struct upstream_config */
    bool in_path;      /* it may stand in path "/PREFIX" { … } too */
};

extern const struct directive directives[ALL_ROWS];

static inline enum directive_row directive_row(const struct directive *d)
{
    return (enum directive_row)(d - directives);
}

/* Does it take {a, b}? */
static inline bool directive_is_list(const struct directive *d)
{
    return d->kind == KIND_NAMES || d->kind == KIND_ADDRESSES || d->kind == KIND_CIDRS ||
           d->kind == KIND_PORTS || d->kind == KIND_STATUSES;
}

/* May it stand in defaults {}? What makes one upstream differ from another may not. */
bool directive_in_defaults(const struct directive *);

/* The range of a number, in ms for durations and bytes for sizes. */
void directive_range(const struct directive *, uint64_t *min, uint64_t *max);
