#include "config/read.h"

#include <confuse.h>
#include <pthread.h>
#include <stdio.h>

#include "base/nearest.h"
#include "config/scan.h"
#include "config/value.h"

struct reader {
    struct arena *arena;
    struct file *file;
    struct complaints *complaints;
    struct scan scan;
    size_t blocks[SCAN_LEVELS]; /* how many blocks have ended, by nesting level */
    struct block **paths;       /* path blocks of the upstream that is being read */
    size_t path_count;
    bool parsing;
    bool stopped; /* libconfuse reported an error */
};

/* libconfuse's lexer is global and its callbacks get no context, so there is one reader at a time:
 * this one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reader *reading;

/* Where a directive may be set that is not known here; NULL: nowhere. */
static const char *scope_of(struct span name)
{
    static const char *const where[] = {
        [SCOPE_BOT] = "belongs in a bot block",
        [SCOPE_GLOBAL] = "belongs outside any block",
        [SCOPE_UPSTREAM] = "belongs in an upstream block",
        [SCOPE_DEFAULTS] = "belongs in an upstream or defaults block",
        [SCOPE_PATH] = "belongs in an upstream, path or defaults block",
    };
    if (span_is(name, SPAN("path")))
        return where[SCOPE_UPSTREAM];
    if (span_is(name, SPAN("upstream")) || span_is(name, SPAN("defaults")) ||
        span_is(name, SPAN("bot")))
        return "cannot be inside another block";
    for (size_t row = 0; row < ALL_ROWS; row++) {
        if (!span_is(name, span_of(directives[row].name)))
            continue;
        return where[directives[row].scope];
    }
    return NULL;
}

/* The directive of this section that was probably meant; NULL: none is spelt alike. */
static const char *meant_by(const cfg_t *cfg, struct span name)
{
    struct nearest n;
    nearest_init(&n, name);
    for (const cfg_opt_t *o = cfg->opts; o->type != CFGT_NONE; o++)
        nearest_offer(&n, o->name);
    return n.word;
}

static void complain_of_unknown(const cfg_t *cfg, const char *quoted)
{
    struct span name = span_from(span_of(quoted), 1);
    name = span_first(name, span_find(name, '\''));
    const char *scope = scope_of(name), *meant = scope ? NULL : meant_by(cfg, name);
    if (meant)
        complaint_add(reading->complaints, cfg->line, "unknown directive %s; did you mean '%s'?",
                      quoted, meant);
    else
        complaint_add(reading->complaints, cfg->line, "unknown directive %s%s%s", quoted,
                      scope ? " here: it " : "", scope ? scope : "");
}

/* A syntax error or an unknown directive; libconfuse stops reading at either of them. */
static void on_error(cfg_t *cfg, const char *format, va_list args) PRINTF_LIKE(2, 0);
static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    static const char unknown[] = "no such option ";
    char message[300];
    vsnprintf(message, sizeof message, format, args);
    if (reading->scan.error[0] && strcmp(message, "premature end of file") == 0)
        return; /* the scanner has already reported the cause */
    reading->stopped = true;
    if (strncmp(message, unknown, sizeof unknown - 1) == 0)
        complain_of_unknown(cfg, message + sizeof unknown - 1);
    else
        complaint_add(reading->complaints, cfg->line, "%s", message);
}

/* The rows for which a section has options, in the order of the table. */
typedef bool row_filter(size_t row);

static bool in_root(size_t row)
{
    return row < GLOBAL_ROWS;
}

static bool in_upstream(size_t row)
{
    return row >= GLOBAL_ROWS && row < UPSTREAM_ROWS_END;
}

static bool in_bot(size_t row)
{
    return row >= UPSTREAM_ROWS_END;
}

static bool in_path(size_t row)
{
    return directives[row].scope == SCOPE_PATH;
}

static row_filter *rows_of(const cfg_t *cfg)
{
    return strcmp(cfg->name, "root") == 0   ? in_root
           : strcmp(cfg->name, "path") == 0 ? in_path
           : strcmp(cfg->name, "bot") == 0  ? in_bot
                                            : in_upstream;
}

/* The row of one of a section's options. NULL: a name like "upstream=x|url", which refers to
 * another section. */
static const struct directive *directive_of(const cfg_t *cfg, const cfg_opt_t *opt)
{
    row_filter *is_in = rows_of(cfg);
    const cfg_opt_t *next = cfg->opts;
    for (size_t row = 0; row < ALL_ROWS; row++)
        if (is_in(row) && next++ == opt)
            return &directives[row];
    return NULL;
}

static void complain_of_value(const struct given *g, const char *why)
{
    enum directive_type type = g->directive->type;
    bool has_userinfo = strchr(g->text, '@') &&
                        (strstr(g->text, "://") || type == TYPE_STORE || type == TYPE_EXITS);
    if (has_userinfo) /* the text may be a password */
        complaint_add(reading->complaints, g->line, "%s: %s", g->directive->name, why);
    else
        complaint_add(reading->complaints, g->line, "%s = %.100s: %s", g->directive->name,
                      *g->text ? g->text : "\"\"", why);
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
    const struct directive *d = directive_of(cfg, opt);
    union value_field field = {0};
    char why[VALUE_WHY_SIZE];
    if (d == NULL) {
        cfg_error(cfg, "no such option '%s'", opt->name);
        return -1;
    }
    struct given *g = arena_alloc(reading->arena, sizeof *g);
    *g = (struct given){.directive = d, .line = cfg->line, .first = opt->nvalues == 1};
    g->text = arena_span(reading->arena, span_of(text)).at;
    g->bad = !value_read(reading->arena, d, g->text, &field, why) || !value_usable(d, g->text, why);
    if (g->bad)
        complain_of_value(g, why);
    *(struct given **)result = g;
    return 0;
}

/* libconfuse discards a value when the same directive is set again. */
static void on_dropped(void *value)
{
    const struct given *g = value;
    if (reading->parsing && g->first)
        complaint_add(reading->complaints, g->line, "%s is set twice: here, and again below",
                      g->directive->name);
}

/* Moves the values out of a section that has ended. */
static void take_values(cfg_t *cfg, struct block *b)
{
    row_filter *is_in = rows_of(cfg);
    cfg_opt_t *next = cfg->opts;
    for (size_t row = 0; row < ALL_ROWS; row++) {
        if (!is_in(row))
            continue;
        cfg_opt_t *opt = next++;
        struct given_list *l = &b->rows[row];
        l->set = (opt->flags & CFGF_MODIFIED) != 0;
        l->count = opt->nvalues;
        l->at = arena_alloc(reading->arena, (l->count + 1) * sizeof *l->at);
        for (size_t i = 0; i < l->count; i++) {
            l->at[i] = opt->values[i]->ptr;
            opt->values[i]->ptr = NULL;
        }
    }
}

static void take_defaults(cfg_t *section, int line)
{
    struct file *f = reading->file;
    struct block again = {.line = line}, *b = f->defaults.line ? &again : &f->defaults;
    if (b == &again)
        complaint_add(reading->complaints, line, "defaults is already defined on line %d",
                      f->defaults.line);
    b->line = line;
    take_values(section, b);
    for (size_t row = GLOBAL_ROWS; row < UPSTREAM_ROWS_END; row++)
        if (b->rows[row].set && directives[row].scope < SCOPE_DEFAULTS)
            complaint_add(reading->complaints, block_line(b, (enum directive_row)row),
                          "%s can be set only in an upstream block", directives[row].name);
}

static void add_block(struct block ***to, size_t *count, struct block *b)
{
    size_t old = *count * sizeof b;
    *to = arena_grow(reading->arena, *to, old, old + sizeof b);
    (*to)[(*count)++] = b;
}

static struct block *take_titled(cfg_t *section, int line)
{
    struct block *b = arena_alloc(reading->arena, sizeof *b);
    b->name = arena_span(reading->arena, span_of(section->title)).at;
    b->line = line;
    take_values(section, b);
    return b;
}

/* A path block ends before its upstream block does. */
static void take_path(cfg_t *section, int line)
{
    add_block(&reading->paths, &reading->path_count, take_titled(section, line));
}

static void take_upstream(cfg_t *section, int line)
{
    struct block *b = take_titled(section, line);
    b->paths = reading->paths;
    b->path_count = reading->path_count;
    reading->paths = NULL;
    reading->path_count = 0;
    add_block(&reading->file->upstreams, &reading->file->upstream_count, b);
}

/* A block has ended: it is the one whose line has not been set to 0 yet. (If two upstreams have the
 * same name, libconfuse replaces the first by the second.) */
static int on_block(cfg_t *cfg, cfg_opt_t *opt)
{
    struct reader *r = reading;
    size_t level = strcmp(cfg->name, "root") == 0 ? 0 : 1;
    const struct scan_lines *lines = &r->scan.blocks[level];
    for (unsigned i = 0; i < opt->nvalues; i++) {
        cfg_t *section = opt->values[i]->section;
        if (section->line == 0)
            continue;
        size_t n = r->blocks[level]++;
        int line = n < lines->count ? lines->at[n] : section->line;
        section->line = 0;
        if (level == 1)
            take_path(section, line);
        else if (strcmp(opt->name, "bot") == 0)
            add_block(&r->file->bots, &r->file->bot_count, take_titled(section, line));
        else if (opt->flags & CFGF_TITLE)
            take_upstream(section, line);
        else
            take_defaults(section, line);
    }
    return 0;
}

/* Returns the position for further options. */
static cfg_opt_t *make_options(cfg_opt_t *options, row_filter *is_in)
{
    for (size_t row = 0; row < ALL_ROWS; row++) {
        if (!is_in(row))
            continue;
        cfg_flag_t list = directives[row].is_list ? CFGF_LIST : 0;
        cfg_opt_t option =
            CFG_PTR_CB(directives[row].name, NULL, CFGF_NODEFAULT | list, on_value, on_dropped);
        *options++ = option;
    }
    return options;
}

static cfg_opt_t *make_section(cfg_opt_t *options, const char *name, cfg_opt_t *inside,
                               cfg_flag_t flags)
{
    cfg_opt_t option = CFG_SEC(name, inside, CFGF_MULTI | flags);
    option.validcb = on_block;
    *options++ = option;
    return options;
}

static void parse(struct reader *r)
{
    cfg_opt_t of_path[UPSTREAM_ROWS_END - GLOBAL_ROWS + 1] = {CFG_END()};
    cfg_opt_t of_defaults[UPSTREAM_ROWS_END - GLOBAL_ROWS + 1] = {CFG_END()};
    cfg_opt_t of_upstream[UPSTREAM_ROWS_END - GLOBAL_ROWS + 2] = {CFG_END()};
    cfg_opt_t of_bot[ALL_ROWS - UPSTREAM_ROWS_END + 1] = {CFG_END()};
    cfg_opt_t all[GLOBAL_ROWS + 4] = {CFG_END()};
    make_options(of_path, in_path);
    make_options(of_defaults, in_upstream);
    make_section(make_options(of_upstream, in_upstream), "path", of_path, CFGF_TITLE);
    make_options(of_bot, in_bot);
    cfg_opt_t *next = make_section(make_options(all, in_root), "defaults", of_defaults, 0);
    next = make_section(next, "upstream", of_upstream, CFGF_TITLE);
    make_section(next, "bot", of_bot, CFGF_TITLE);
    cfg_t *cfg = cfg_init(all, CFGF_NONE);
    CHECK(cfg != NULL);
    cfg_set_error_function(cfg, on_error);
    r->parsing = true;
    bool parsed = cfg_parse_buf(cfg, r->scan.text) == CFG_SUCCESS;
    r->parsing = false;
    take_values(cfg, &r->file->globals);
    cfg_free(cfg);
    if (!r->stopped && r->scan.error[0])
        complaint_add(r->complaints, r->scan.error_line, "%s", r->scan.error);
    else if (!r->stopped && !parsed)
        complaint_add(r->complaints, 0, "cannot be parsed");
    r->file->complete = parsed && r->scan.error[0] == '\0';
}

static void complain_of_unset(struct reader *r)
{
    for (size_t i = 0; i < r->scan.unset_count; i++)
        complaint_add(r->complaints, r->scan.unset[i].line,
                      "${%.100s} is not set in the environment (${NAME:-} may be unset; in single "
                      "quotes nothing is replaced)",
                      r->scan.unset[i].name);
}

void file_read(struct file *file, struct arena *arena, struct span text,
               struct complaints *complaints)
{
    struct reader r = {.arena = arena, .file = file, .complaints = complaints};
    *file = (struct file){0};
    scan_text(&r.scan, arena, text);
    complain_of_unset(&r);
    pthread_mutex_lock(&lock);
    reading = &r;
    parse(&r);
    reading = NULL;
    pthread_mutex_unlock(&lock);
}

int block_line(const struct block *b, enum directive_row row)
{
    return b->rows[row].count ? b->rows[row].at[0]->line : b->line;
}

bool block_is_bad(const struct block *b, enum directive_row row)
{
    for (size_t i = 0; i < b->rows[row].count; i++)
        if (b->rows[row].at[i]->bad)
            return true;
    return false;
}
