/* The rows of config.def as a table, which the reader, the checks and the dump iterate over.
 * Constant, without owner or states. Global directives come first, then those of defaults and
 * upstream blocks, then those of bot blocks. */
#pragma once

#include "base/arena.h"
#include "base/check.h"

enum directive_type {
#define TYPE(type, is_list, label) TYPE_##type,
#include "config/config.def"
};

/* ROW_GLOBAL_max_clients, ROW_min_idle, ROW_BOT_order_rate: the index of a directive in the table. */
enum directive_row {
#define GLOBAL(type, directive, value, bounds, text) ROW_GLOBAL_##directive,
#include "config/config.def"
    GLOBAL_ROWS,
    ROW_BEFORE_UPSTREAM = GLOBAL_ROWS - 1,
#define UPSTREAM(type, directive, value, bounds, text) ROW_##directive,
#include "config/config.def"
    UPSTREAM_ROWS_END,
    ROW_BEFORE_BOT = UPSTREAM_ROWS_END - 1,
#define BOT(type, directive, value, bounds, text) ROW_BOT_##directive,
#include "config/config.def"
    ALL_ROWS
};

/* Where a directive may be set; each scope except the first two includes those before it. */
enum directive_scope {
    SCOPE_BOT,      /* in bot blocks */
    SCOPE_GLOBAL,   /* outside any block */
    SCOPE_UPSTREAM, /* in upstream blocks */
    SCOPE_DEFAULTS, /* in defaults too */
    SCOPE_PATH      /* in the path blocks of an upstream too */
};

struct directive_choice {
    const char *word; /* NULL: the end of the table */
    int value;
};

/* A check from form.h. */
typedef bool directive_form(struct arena *, const char *text, const char **value, const char **why);

struct directive {
    const char *name;
    enum directive_type type;
    enum directive_scope scope;
    bool is_list;        /* the directive takes a list {a, b} */
    bool is_required;    /* the directive cannot be set to nothing */
    const char *builtin; /* the default, as written in a file; NULL: none */
    size_t offset;       /* of its field in struct config, upstream_config or bot_config */
    size_t line_offset;
    const char *min, *max; /* bounds of a number, as written in a file; NULL: not a number */
    const char *unit;      /* what is counted; NULL: the type says it already */
    const struct directive_choice *choices; /* the words of a choice; NULL: not a choice */
    directive_form *form;                   /* NULL: nothing to check besides the type */
    const char *words;                      /* what the form requires: "must be …" */
};

extern const struct directive directives[ALL_ROWS];

static inline enum directive_row directive_row(const struct directive *d)
{
    return (enum directive_row)(d - directives);
}
