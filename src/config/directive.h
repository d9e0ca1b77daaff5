/* The rows of config.def as a table, which the reader, the checks and the dump walk over.
 * Constant, owned by nobody, without states. Global directives come first, then those of
 * defaults and upstream blocks. */
#pragma once

#include "base/arena.h"
#include "base/check.h"

enum directive_type {
#define TYPE(type, is_list, label) TYPE_##type,
#include "config/config.def"
};

/* ROW_GLOBAL_max_clients, ROW_min_idle: the place of a directive in the table. */
enum directive_row {
#define GLOBAL(type, directive, value, bounds, text) ROW_GLOBAL_##directive,
#include "config/config.def"
    GLOBAL_ROWS,
    ROW_BEFORE_UPSTREAM = GLOBAL_ROWS - 1,
#define UPSTREAM(type, directive, value, bounds, text) ROW_##directive,
#include "config/config.def"
    ALL_ROWS
};

/* Where a directive may be set; each scope but the first includes those before it. */
enum directive_scope {
    SCOPE_GLOBAL,   /* outside any block */
    SCOPE_UPSTREAM, /* in upstream blocks */
    SCOPE_DEFAULTS, /* in defaults too */
    SCOPE_PATH      /* in the path blocks of an upstream too */
};

struct directive_choice {
    const char *word; /* NULL: the end */
    int value;
};

/* A check of form.h. */
typedef bool directive_form(struct arena *, const char *text, const char **value, const char **why);

struct directive {
    const char *name;
    enum directive_type type;
    enum directive_scope scope;
    bool is_list;        /* it takes {a, b} */
    bool is_required;    /* it cannot be set to nothing */
    const char *builtin; /* the default, as written in a file; NULL: none */
    size_t offset;       /* of its field, in struct config or struct upstream_config */
    size_t line_offset;
    const char *min, *max;                  /* of a number, as written in a file; NULL: not one */
    const char *unit;                       /* what is counted; NULL: the type says it */
    const struct directive_choice *choices; /* NULL: not a choice */
    directive_form *form;                   /* NULL: nothing to check besides the type */
    const char *words;                      /* what the form demands: "must be …" */
};

extern const struct directive directives[ALL_ROWS];

static inline enum directive_row directive_row(const struct directive *d)
{
    return (enum directive_row)(d - directives);
}
