#include "config/config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/text.h"
#include "config/config_check.h"
#include "config/directive.h"
#include "config/hosts.h"
#include "config/read.h"
#include "config/resolve.h"

#define CONFIG_MAGIC 0x63666731u
#define FILE_MAX_SIZE (4u << 20)

struct snapshot {
    unsigned magic;
    atomic_uint references;
    struct arena *arena; /* contains this struct, too */
    struct config config;
};

static struct snapshot *snapshot_of(const struct config *c)
{
    struct snapshot *s = container_of((struct config *)(uintptr_t)c, struct snapshot, config);
    MAGIC_CHECK(s, CONFIG_MAGIC);
    return s;
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
    struct arena *a = arena_new();
    struct snapshot *s = arena_alloc(a, sizeof *s);
    MAGIC_INIT(s, CONFIG_MAGIC);
    atomic_init(&s->references, 1);
    s->arena = a;
    s->config.path = absolute(a, path);
    resolve(a, f, &s->config);
    return &s->config;
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

/* Returns 0, or an errno value. */
static int read_all(FILE *in, struct text *out)
{
    size_t n;
    do {
        n = fread(text_reserve(out, 4096), 1, 4096, in);
        text_added(out, n);
    } while (n && out->len <= FILE_MAX_SIZE);
    return ferror(in) ? errno : out->len > FILE_MAX_SIZE ? EFBIG : 0;
}

/* Returns 0, or an errno value. */
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
        resolve_read_builtin(scratch, &builtin);
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
        if (hosts_has(u, secure, (struct span){host, len}, port))
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

int config_line(const struct upstream_config *u, struct span directive)
{
    for (size_t row = GLOBAL_ROWS; row < UPSTREAM_ROWS_END; row++)
        if (span_is(directive, span_of(directives[row].name)))
            return *(const int *)(const void *)((const char *)u + directives[row].line_offset);
    return u->line;
}
