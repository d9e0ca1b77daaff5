#include "config/resolve.h"

#include <string.h>

#include "base/text.h"
#include "config/directive.h"
#include "config/hosts.h"
#include "config/preset.h"
#include "config/value.h"

static const struct block no_block;

static void print_default(const struct directive *d, struct text *out)
{
    if (d->builtin)
        text_printf(out, "%s = %s\n", d->name, d->builtin);
}

/* Text that is not from the operator's file has no line to name in errors. */
static void forget_lines(struct block *b)
{
    b->line = 0;
    for (size_t row = 0; row < ALL_ROWS; row++)
        for (size_t i = 0; i < b->rows[row].count; i++)
            b->rows[row].at[i]->line = 0;
    for (size_t i = 0; i < b->path_count; i++)
        forget_lines(b->paths[i]);
}

/* The defaults are read by the same code as a file. */
void resolve_read_builtin(struct arena *a, struct file *f)
{
    struct text text = {0};
    struct complaints complaints = {.path = "config.def"};
    for (size_t row = 0; row < GLOBAL_ROWS; row++)
        print_default(&directives[row], &text);
    text_add_str(&text, "defaults {\n");
    for (size_t row = GLOBAL_ROWS; row < UPSTREAM_ROWS_END; row++)
        if (directives[row].scope >= SCOPE_DEFAULTS)
            print_default(&directives[row], &text);
    text_add_str(&text, "}\nbot any {\n");
    for (size_t row = UPSTREAM_ROWS_END; row < ALL_ROWS; row++)
        print_default(&directives[row], &text);
    text_add_str(&text, "}\n");
    file_read(f, a, text_span(&text), &complaints);
    CHECK(f->complete && !complaints.any && f->bot_count == 1);
    forget_lines(&f->globals);
    forget_lines(&f->defaults);
    forget_lines(f->bots[0]);
    text_free(&text);
}

static void set_field(struct arena *a, const struct given *g, void *field)
{
    char why[VALUE_WHY_SIZE];
    CHECK(value_read(a, g->directive, g->text, field, why));
    if (g->directive->type == TYPE_ADDRESSES) {
        const struct config_addresses *addresses = field;
        addresses->at[addresses->count - 1].line = g->line;
    }
}

/* Sets a directive's field and line from the block that decides its value. `line` is used for a
 * directive that the file does not set. */
static void fill_from(struct arena *a, const struct directive *d, const struct block *b, int line,
                      void *base)
{
    const struct given_list *l = &b->rows[directive_row(d)];
    int given_line = block_line(b, directive_row(d));
    *(int *)(void *)((char *)base + d->line_offset) = given_line ? given_line : line;
    for (size_t i = 0; i < l->count; i++)
        if (!l->at[i]->bad)
            set_field(a, l->at[i], (char *)base + d->offset);
}

/* The blocks that settings may come from; the first block that sets a directive decides its
 * value. */
struct layers {
    const struct block *const *at;
    size_t count;
    int line; /* line of the block, for directives that the file does not set; 0: not in a file */
};

/* Sets the fields of `base` for the rows from `row` up to but not including `end`. */
static void fill(struct arena *a, const struct layers *layers, size_t row, size_t end, void *base)
{
    for (; row < end; row++) {
        size_t i = 0;
        while (i < layers->count && !layers->at[i]->rows[row].set)
            i++;
        fill_from(a, &directives[row], i < layers->count ? layers->at[i] : &no_block, layers->line,
                  base);
    }
}

/* The blocks that an upstream's settings come from. */
struct sources {
    const struct block *own, *preset, *defaults, *builtin;
};

static const struct block *find_path(const struct block *b, const char *prefix)
{
    for (size_t i = 0; i < b->path_count; i++)
        if (strcmp(b->paths[i]->name, prefix) == 0)
            return b->paths[i];
    return &no_block;
}

/* The settings that a preset's path block switches off (for time endpoints) stay off, whatever the
 * file sets in the upstream block besides the preset, unless the file has a block for that same
 * path. */
static struct block switched_off(const struct block *path)
{
    struct block off = {.name = path->name};
    for (size_t row = GLOBAL_ROWS; row < UPSTREAM_ROWS_END; row++) {
        const struct given_list *l = &path->rows[row];
        if (l->count && (strcmp(l->at[0]->text, "0") == 0 || strcmp(l->at[0]->text, "no") == 0))
            off.rows[row] = *l;
    }
    return off;
}

static void add_path(struct arena *a, struct upstream_config *u, const struct sources *s,
                     const char *prefix)
{
    const struct block *own = find_path(s->own, prefix), *preset = find_path(s->preset, prefix);
    const struct block off = switched_off(preset);
    const struct block *blocks[] = {own, &off, s->own, preset, s->preset, s->defaults, s->builtin};
    const struct layers layers = {blocks, COUNT_OF(blocks), u->line};
    struct upstream_config *settings = arena_alloc(a, sizeof *settings);
    *settings = *u;
    settings->paths = NULL;
    settings->path_count = 0;
    for (size_t row = GLOBAL_ROWS; row < UPSTREAM_ROWS_END; row++)
        if (directives[row].scope == SCOPE_PATH)
            fill(a, &layers, row, row + 1, settings);
    u->paths[u->path_count++] = (struct config_path){arena_span(a, span_of(prefix)).at, settings};
}

static void add_paths(struct arena *a, struct upstream_config *u, const struct sources *s)
{
    u->paths = arena_alloc(a, (s->own->path_count + s->preset->path_count + 1) * sizeof *u->paths);
    for (size_t i = 0; i < s->own->path_count; i++)
        add_path(a, u, s, s->own->paths[i]->name);
    for (size_t i = 0; i < s->preset->path_count; i++)
        if (find_path(s->own, s->preset->paths[i]->name) == &no_block)
            add_path(a, u, s, s->preset->paths[i]->name);
}

/* A preset is read by the same code as a file, like the defaults. */
static const struct block *read_preset(struct arena *scratch, const struct block *own)
{
    const struct given_list *l = &own->rows[ROW_preset];
    const char *text = l->count && !l->at[0]->bad ? preset_find(l->at[0]->text) : NULL;
    struct complaints complaints = {.path = "preset"};
    struct file f;
    if (text == NULL)
        return &no_block;
    file_read(&f, scratch, span_of(text), &complaints);
    CHECK(f.complete && !complaints.any && f.upstream_count == 1);
    forget_lines(f.upstreams[0]);
    return f.upstreams[0];
}

static struct upstream_config *make_upstream(struct arena *a, struct arena *scratch,
                                             const struct block *own, const struct file *f,
                                             const struct file *builtin)
{
    const struct sources s = {own, read_preset(scratch, own), &f->defaults, &builtin->defaults};
    const struct block *blocks[] = {s.own, s.preset, s.defaults, s.builtin};
    const struct layers layers = {blocks, COUNT_OF(blocks), own->line};
    struct upstream_config *u = arena_alloc(a, sizeof *u);
    u->name = arena_span(a, span_of(own->name)).at;
    u->line = own->line;
    fill(a, &layers, GLOBAL_ROWS, UPSTREAM_ROWS_END, u);
    hosts_resolve(a, u, own->rows[ROW_url].set, own->rows[ROW_endpoints].set);
    return u;
}

/* The paths of an upstream have its settings, so its hosts must be known before. */
static void finish_upstream(struct arena *a, struct arena *scratch, const struct file *f, size_t i,
                            const struct file *builtin, struct config *c)
{
    const struct block *own = f->upstreams[i];
    const struct sources s = {own, read_preset(scratch, own), &f->defaults, &builtin->defaults};
    for (size_t k = 0; !own->rows[ROW_endpoints].set && k < c->upstream_count; k++)
        if (k != i)
            hosts_yield(c->upstreams[i], c->upstreams[k]);
    add_paths(a, c->upstreams[i], &s);
}

static void add_bots(struct arena *a, const struct file *f, const struct block *builtin,
                     struct config *c)
{
    c->bots = arena_alloc(a, (f->bot_count + 1) * sizeof *c->bots);
    for (size_t i = 0; i < f->bot_count; i++) {
        const struct block *blocks[] = {f->bots[i], builtin};
        const struct layers layers = {blocks, COUNT_OF(blocks), f->bots[i]->line};
        struct bot_config *b = &c->bots[c->bot_count++];
        b->name = arena_span(a, span_of(f->bots[i]->name)).at;
        b->line = f->bots[i]->line;
        fill(a, &layers, UPSTREAM_ROWS_END, ALL_ROWS, b);
    }
}

void resolve(struct arena *a, const struct file *f, struct config *c)
{
    struct arena *scratch = arena_new();
    struct file builtin;
    resolve_read_builtin(scratch, &builtin);
    const struct block *globals[] = {&f->globals, &builtin.globals};
    const struct block *defaults[] = {&f->defaults, &builtin.defaults};
    const struct layers of_globals = {globals, COUNT_OF(globals), 0};
    const struct layers of_defaults = {defaults, COUNT_OF(defaults), f->defaults.line};
    c->defaults.line = f->defaults.line;
    fill(a, &of_globals, 0, GLOBAL_ROWS, c);
    fill(a, &of_defaults, GLOBAL_ROWS, UPSTREAM_ROWS_END, &c->defaults);
    c->upstream_count = f->upstream_count;
    c->upstreams = arena_alloc(a, (f->upstream_count + 1) * sizeof *c->upstreams);
    for (size_t i = 0; i < f->upstream_count; i++)
        c->upstreams[i] = make_upstream(a, scratch, f->upstreams[i], f, &builtin);
    for (size_t i = 0; i < f->upstream_count; i++)
        finish_upstream(a, scratch, f, i, &builtin, c);
    add_bots(a, f, builtin.bots[0], c);
    arena_free(scratch);
}
