#include "cli/directive_help.h"

#include "config/directive.h"

static const char *const labels[] = {
#define TYPE(type, is_list, label) [TYPE_##type] = (label),
#include "config/config.def"
};

static const char *const meanings[ALL_ROWS] = {
#define GLOBAL(type, name, value, bounds, text) text,
#include "config/config.def"
#define UPSTREAM(type, name, value, bounds, text) text,
#include "config/config.def"
#define BOT(type, name, value, bounds, text) text,
#include "config/config.def"
};

static const char *const places[] = {
    [SCOPE_BOT] = "bot blocks",
    [SCOPE_GLOBAL] = "outside any block",
    [SCOPE_UPSTREAM] = "upstream blocks",
    [SCOPE_DEFAULTS] = "upstream and defaults blocks",
    [SCOPE_PATH] = "upstream, defaults and path blocks",
};

static void add_form(struct text *out, const struct directive *d)
{
    text_add_str(out, labels[d->type]);
    for (const struct directive_choice *c = d->choices; c && c->word; c++)
        text_printf(out, "%s%s", c == d->choices ? " " : ", ", c->word);
    if (d->min)
        text_printf(out, "%s%s, %s to %s", d->unit ? " of " : "", d->unit ? d->unit : "", d->min,
                    d->max);
    if (d->words)
        text_printf(out, " (must be %s)", d->words);
}

static void add(struct text *out, const struct directive *d)
{
    text_printf(out, "%s = ", d->name);
    add_form(out, d);
    text_printf(out, "\n  default  %s\n  where    %s\n\n", d->builtin ? d->builtin : "none",
                places[d->scope]);
    text_printf(out, "%s\n", meanings[d - directives]);
}

bool directive_help(struct text *out, const char *name)
{
    size_t found = 0;
    for (const struct directive *d = directives; d < directives + ALL_ROWS; d++)
        if (strcmp(d->name, name) == 0) {
            text_add_str(out, found++ ? "\n" : "");
            add(out, d);
        }
    return found > 0;
}
