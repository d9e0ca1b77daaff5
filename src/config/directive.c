#include "config/directive.h"

#include "base/log.h"
#include "config/form.h"
#include "config/settings.h"

enum {
#define TYPE(type, is_list, label) IS_LIST_##type = (is_list),
#include "config/config.def"
};

/* How the defaults and bounds of a row are put into struct directive. */
#define NONE NULL
#define REQUIRED NULL, .is_required = true
#define ANY .form = NULL
#define RANGE(low, high) .min = (low), .max = (high)
#define RANGE_OF(what, low, high) .unit = (what), .min = (low), .max = (high)
#define MUST_BE(check, demand) .form = form_##check, .words = (demand)
#define ONE_OF(name, ...)                                                                          \
    .choices = (const struct directive_choice[])                                                   \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }
#define KNOWN ONE_OF
#define AS(word_, constant)                                                                        \
    {                                                                                              \
        .word = (word_), .value = (constant)                                                       \
    }
#define ROW(scope_, type_, directive, in, ...)                                                     \
    {.name = #directive,                                                                           \
     .type = TYPE_##type_,                                                                         \
     .scope = (scope_),                                                                            \
     .is_list = IS_LIST_##type_,                                                                   \
     .offset = offsetof(struct in, directive),                                                     \
     .line_offset = offsetof(struct in, directive##_line),                                         \
     __VA_ARGS__},

const struct directive directives[ALL_ROWS] = {
#define GLOBAL(type, name, value, bounds, text)                                                    \
    ROW(SCOPE_GLOBAL, type, name, config, bounds, .builtin = value)
#define UPSTREAM(type, name, value, bounds, text)                                                  \
    ROW(SCOPE_UPSTREAM, type, name, upstream_config, bounds, .builtin = value)
#define DEFAULTS(type, name, value, bounds, text)                                                  \
    ROW(SCOPE_DEFAULTS, type, name, upstream_config, bounds, .builtin = value)
#define PATH(type, name, value, bounds, text)                                                      \
    ROW(SCOPE_PATH, type, name, upstream_config, bounds, .builtin = value)
#define BOT(type, name, value, bounds, text)                                                       \
    ROW(SCOPE_BOT, type, name, bot_config, bounds, .builtin = value)
#include "config/config.def"
};
