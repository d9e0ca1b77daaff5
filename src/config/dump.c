#include "base/text.h"
#include "config/config.h"
#include "config/directive.h"
#include "config/value.h"

static void print_row(const struct directive *d, const void *base, const char *indent,
                      struct text *out)
{
    text_printf(out, "%s%s = ", indent, d->name);
    value_print(d, (const char *)base + d->offset, out);
    text_add_str(out, "\n");
}

static void print_paths(const struct upstream_config *u, struct text *out)
{
    for (size_t i = 0; i < u->path_count; i++) {
        text_add_str(out, "    path ");
        value_print_quoted(u->paths[i].prefix, out);
        text_add_str(out, " {\n");
        for (size_t row = PATH_FIRST_ROW; row < PATH_END_ROW; row++)
            print_row(&directives[row], u->paths[i].settings, "        ", out);
        text_add_str(out, "    }\n");
    }
}

void config_dump(const struct config *c, struct text *out)
{
    for (size_t row = 0; row < GLOBAL_ROWS; row++)
        print_row(&directives[row], c, "", out);
    text_add_str(out, "\ndefaults {\n");
    for (size_t row = GLOBAL_ROWS; row < ALL_ROWS; row++)
        if (directive_in_defaults(&directives[row]))
            print_row(&directives[row], &c->defaults, "    ", out);
    text_add_str(out, "}\n");
    for (size_t i = 0; i < c->upstream_count; i++) {
        text_printf(out, "\nupstream %s {\n", c->upstreams[i]->name);
        for (size_t row = GLOBAL_ROWS; row < ALL_ROWS; row++)
            print_row(&directives[row], c->upstreams[i], "    ", out);
        print_paths(c->upstreams[i], out);
        text_add_str(out, "}\n");
    }
}
