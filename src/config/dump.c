#include "config/dump.h"

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
        for (size_t row = GLOBAL_ROWS; row < UPSTREAM_ROWS_END; row++)
            if (directives[row].scope == SCOPE_PATH)
                print_row(&directives[row], u->paths[i].settings, "        ", out);
        text_add_str(out, "    }\n");
    }
}

static void print_settings(const struct upstream_config *u, struct text *out)
{
    for (size_t row = GLOBAL_ROWS; row < UPSTREAM_ROWS_END; row++)
        if (u->name || directives[row].scope >= SCOPE_DEFAULTS)
            print_row(&directives[row], u, "    ", out);
    print_paths(u, out);
}

bool config_same_settings(const struct upstream_config *a, const struct upstream_config *b)
{
    struct text one = {0}, other = {0};
    print_settings(a, &one);
    print_settings(b, &other);
    bool same = span_is(text_span(&one), text_span(&other));
    text_free(&one);
    text_free(&other);
    return same;
}

void config_dump(const struct config *c, struct text *out)
{
    for (size_t row = 0; row < GLOBAL_ROWS; row++)
        print_row(&directives[row], c, "", out);
    text_add_str(out, "\ndefaults {\n");
    print_settings(&c->defaults, out);
    text_add_str(out, "}\n");
    for (size_t i = 0; i < c->upstream_count; i++) {
        text_printf(out, "\nupstream %s {\n", c->upstreams[i]->name);
        print_settings(c->upstreams[i], out);
        text_add_str(out, "}\n");
    }
    for (size_t i = 0; i < c->bot_count; i++) {
        text_add_str(out, "\nbot ");
        value_print_quoted(c->bots[i].name, out);
        text_add_str(out, " {\n");
        for (size_t row = UPSTREAM_ROWS_END; row < ALL_ROWS; row++)
            print_row(&directives[row], &c->bots[i], "    ", out);
        text_add_str(out, "}\n");
    }
}
