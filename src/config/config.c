#include "config/config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/text.h"
#include "config/complaint.h"
#include "config/config_check.h"
#include "config/directive.h"
#include "config/host.h"
#include "config/preset.h"
#include "config/read.h"
#include "config/value.h"

#define CONFIG_MAGIC 0x63666731u
#define FILE_MAX_SIZE (4u << 20)

struct snapshot {
    unsigned magic;
    atomic_uint references;
    struct arena *arena; /* this struct is in it too */
    struct config config;
};

static const struct block no_block;

static struct snapshot *snapshot_of(const struct config *c)
{
    struct snapshot *s = container_of((struct config *)(uintptr_t)c, struct snapshot, config);
    MAGIC_CHECK(s, CONFIG_MAGIC);
    return s;
}

static void print_default(const struct directive *d, struct text *out)
{
    if (d->value)
        text_printf(out, "%s = %s\n", d->name, d->value);
}

/* The defaults are read like a file, so that a row needs to be right only once. */
static void read_builtin(struct arena *a, struct file *f)
{
    struct text text = {0};
    struct complaints complaints = {.path = "config.def"};
    for (size_t row = 0; row < GLOBAL_ROWS; row++)
        print_default(&directives[row], &text);
    text_add_str(&text, "defaults {\n");
    for (size_t row = GLOBAL_ROWS; row < ALL_ROWS; row++)
        if (directive_in_defaults(&directives[row]))
            print_default(&directives[row], &text);
    text_add_str(&text, "}\n");
    file_read(f, a, text_span(&text), &complaints);
    CHECK(f->complete && !complaints.any);
    for (size_t row = 0; row < GLOBAL_ROWS; row++)
        for (size_t i = 0; i < f->globals.rows[row].count; i++)
            f->globals.rows[row].at[i]->line = 0; /* it comes from no file */
    text_free(&text);
}

static void set_field(struct arena *a, const struct given *g, void *field)
{
    char why[VALUE_WHY_SIZE];
    CHECK(value_read(a, g->directive, g->text, field, why));
    if (g->directive->kind == KIND_ADDRESSES) {
        const struct config_addresses *addresses = field;
        addresses->at[addresses->count - 1].line = g->line;
    }
}

/* Sets the fields of `base` from the first of `blocks` (the own one, then what
 * it inherits from) in which each directive stands. */
static void fill(struct arena *a, void *base, size_t row, size_t end_row,
                 const struct block *const *blocks, size_t count)
{
    for (; row < end_row; row++) {
        const struct directive *d = &directives[row];
        for (size_t i = 0; i < count; i++) {
            const struct given_list *l = &blocks[i]->rows[row];
            if (!l->set)
                continue;
            for (size_t j = 0; j < l->count; j++)
                if (!l->at[j]->bad)
                    set_field(a, l->at[j], (char *)base + d->offset);
            break;
        }
    }
}

/* What an upstream's blocks are looked up in, the first that has a directive wins. */
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

/* What a preset's path switches off (time endpoints) stays off, whatever the
 * operator gives beside the preset, until he names that path himself. */
static struct block switched_off(const struct block *path)
{
    struct block off = {.name = path->name};
    for (size_t row = GLOBAL_ROWS; row < ALL_ROWS; row++) {
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
    struct upstream_config *settings = arena_alloc(a, sizeof *settings);
    *settings = *u;
    settings->paths = NULL;
    settings->path_count = 0;
    for (size_t row = GLOBAL_ROWS; row < ALL_ROWS; row++)
        if (directives[row].in_path)
            fill(a, settings, row, row + 1, blocks, COUNT_OF(blocks));
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

/* A preset is read like a file, as the defaults are. */
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
    return f.upstreams[0];
}

static int line_of(const struct block *own, const struct block *defaults, enum directive_row row)
{
    return own->rows[row].set        ? block_line(own, row)
           : defaults->rows[row].set ? block_line(defaults, row)
                                     : own->line;
}

static void note_lines(struct upstream_config *u, const struct block *own,
                       const struct block *defaults)
{
    u->line = own->line;
    u->ca_file_line = line_of(own, defaults, ROW_ca_file);
    u->cert_file_line = line_of(own, defaults, ROW_cert_file);
    u->key_file_line = line_of(own, defaults, ROW_key_file);
}

static struct upstream_config *make_upstream(struct arena *a, struct arena *scratch,
                                             const struct block *own, const struct file *f,
                                             const struct file *builtin)
{
    const struct sources s = {own, read_preset(scratch, own), &f->defaults, &builtin->defaults};
    const struct block *blocks[] = {s.own, s.preset, s.defaults, s.builtin};
    struct upstream_config *u = arena_alloc(a, sizeof *u);
    struct host_origin origin;
    const char *why;
    u->name = arena_span(a, span_of(own->name)).at;
    note_lines(u, own, &f->defaults);
    fill(a, u, GLOBAL_ROWS, ALL_ROWS, blocks, COUNT_OF(blocks));
    if (u->url && host_origin_read(a, u->url, &origin, &why)) {
        u->secure = origin.secure;
        u->host = origin.host;
        u->port = origin.port;
    }
    add_paths(a, u, &s);
    return u;
}

static const char *absolute(struct arena *a, const char *path)
{
    char *here;
    if (*path == '\0' || *path == '/' || (here = getcwd(NULL, 0)) == NULL)
        return arena_span(a, span_of(path)).at;
    const char *all = arena_printf(a, "%s/%s", here, path);
    free(here);
    return all;
}

static struct config *build(const char *path, const struct file *f)
{
    struct arena *a = arena_new(), *scratch = arena_new();
    struct snapshot *s = arena_alloc(a, sizeof *s);
    struct config *c = &s->config;
    struct file builtin;
    read_builtin(scratch, &builtin);
    const struct block *globals[] = {&f->globals, &builtin.globals};
    const struct block *defaults[] = {&f->defaults, &builtin.defaults};
    MAGIC_INIT(s, CONFIG_MAGIC);
    atomic_init(&s->references, 1);
    s->arena = a;
    c->path = absolute(a, path);
    note_lines(&c->defaults, &f->defaults, &f->defaults);
    fill(a, c, 0, GLOBAL_ROWS, globals, COUNT_OF(globals));
    fill(a, &c->defaults, GLOBAL_ROWS, ALL_ROWS, defaults, COUNT_OF(defaults));
    c->ca_cert_line = block_line(&f->globals, ROW_GLOBAL_ca_cert);
    c->ca_key_line = block_line(&f->globals, ROW_GLOBAL_ca_key);
    c->access_log_line = block_line(&f->globals, ROW_GLOBAL_access_log);
    c->listen_line = block_line(&f->globals, ROW_GLOBAL_listen);
    c->upstream_count = f->upstream_count;
    c->upstreams = arena_alloc(a, (f->upstream_count + 1) * sizeof *c->upstreams);
    for (size_t i = 0; i < f->upstream_count; i++)
        c->upstreams[i] = make_upstream(a, scratch, f->upstreams[i], f, &builtin);
    arena_free(scratch);
    return c;
}

struct config *config_parse(const char *path, const char *text, size_t len,
                            config_complain *complain, void *context)
{
    struct complaints complaints = {.path = path, .to = complain, .context = context};
    struct arena *scratch = arena_new();
    struct config *c = NULL;
    struct file f;
    file_read(&f, scratch, (struct span){text, len}, &complaints);
    if (f.complete) {
        c = build(path, &f);
        config_check(c, &f, &complaints);
    }
    arena_free(scratch);
    if (complaints.any && c) {
        config_unref(c);
        c = NULL;
    }
    return c;
}

/* 0, or why not. */
static int read_all(FILE *in, struct text *out)
{
    size_t n;
    do {
        n = fread(text_reserve(out, 4096), 1, 4096, in);
        text_added(out, n);
    } while (n && out->len <= FILE_MAX_SIZE);
    return ferror(in) ? errno : out->len > FILE_MAX_SIZE ? EFBIG : 0;
}

/* 0, or why not. */
static int read_path(const char *path, struct text *out)
{
    FILE *in = fopen(path, "re");
    if (in == NULL)
        return errno;
    int error = read_all(in, out);
    fclose(in);
    return error;
}

struct config *config_load(const char *path, bool optional, config_complain *complain,
                           void *context)
{
    struct complaints complaints = {.path = path, .to = complain, .context = context};
    struct text text = {0};
    struct config *c = NULL;
    int error = read_path(path, &text);
    errno = error;
    if (error == ENOENT && optional)
        c = config_parse("", "", 0, complain, context);
    else if (error)
        complaint_add(&complaints, 0, "%m");
    else
        c = config_parse(path, text.at, text.len, complain, context);
    text_free(&text);
    return c;
}

bool config_first_listen(const char *path, struct text *to)
{
    struct complaints complaints = {.path = path};
    struct arena *scratch = arena_new();
    struct text text = {0};
    struct file f, builtin;
    size_t before = to->len;
    if (read_path(path, &text) == 0) {
        file_read(&f, scratch, text_span(&text), &complaints);
        read_builtin(scratch, &builtin);
        const struct given_list *l = &f.globals.rows[ROW_GLOBAL_listen];
        if (!l->set && f.complete)
            l = &builtin.globals.rows[ROW_GLOBAL_listen];
        for (size_t i = 0; i < l->count && to->len == before; i++)
            if (!l->at[i]->bad)
                text_add_str(to, l->at[i]->text);
    }
    text_free(&text);
    arena_free(scratch);
    return to->len > before;
}

struct config *config_ref(struct config *c)
{
    atomic_fetch_add_explicit(&snapshot_of(c)->references, 1, memory_order_relaxed);
    return c;
}

void config_unref(struct config *c)
{
    if (c == NULL)
        return;
    struct snapshot *s = snapshot_of(c);
    if (atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) > 1)
        return;
    s->magic = 0;
    arena_free(s->arena);
}

const struct upstream_config *config_find(const struct config *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->upstream_count; i++)
        if (span_is(span_of(c->upstreams[i]->name), (struct span){name, len}))
            return c->upstreams[i];
    return NULL;
}

const struct upstream_config *config_find_origin(const struct config *c, bool secure,
                                                 const char *host, size_t len, uint16_t port)
{
    for (size_t i = 0; i < c->upstream_count; i++) {
        const struct upstream_config *u = c->upstreams[i];
        if (u->secure == secure && u->port == port &&
            span_is_nocase(span_of(u->host), (struct span){host, len}))
            return u;
    }
    return NULL;
}

const struct upstream_config *config_for_path(const struct upstream_config *u, const char *target,
                                              size_t len)
{
    const struct upstream_config *found = u;
    size_t longest = 0;
    for (size_t i = 0; i < u->path_count; i++) {
        struct span prefix = span_of(u->paths[i].prefix);
        if (prefix.len >= longest && span_starts((struct span){target, len}, prefix)) {
            found = u->paths[i].settings;
            longest = prefix.len;
        }
    }
    return found;
}
