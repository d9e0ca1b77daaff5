#include "proxy/order_rules.h"

#include "base/percent.h"
#include "base/text.h"
#include "config/order_path.h"

#define ROUNDS 4 /* of decoding; what is still encoded then is deeper than any server looks */

/* ------------------------------------------------------------------- methods */

static bool only_reads(struct span method)
{
    return span_is(method, SPAN("GET")) || span_is(method, SPAN("HEAD")) ||
           span_is(method, SPAN("OPTIONS")) || span_is(method, SPAN("TRACE"));
}

static bool is_delete(struct span method)
{
    return span_is(method, SPAN("DELETE"));
}

static bool changes(struct span method)
{
    return span_is(method, SPAN("POST")) || span_is(method, SPAN("PUT")) ||
           span_is(method, SPAN("PATCH"));
}

/* Without an entry that names it. */
static enum order_class class_of_method(const struct upstream_config *u, struct span method)
{
    if (only_reads(method))
        return ORDER_READS;
    if (changes(method) && u->order_paths.count == 0)
        return ORDER_PLACES;
    if (is_delete(method) && u->cancel_paths.count == 0)
        return ORDER_CANCELS;
    return ORDER_NEITHER;
}

/* ------------------------------------------------------------------- entries */

/* Servers answer a HEAD by what they do for a GET. */
static bool is_for(struct span entry, struct span method)
{
    return entry.len == 0 || span_is(entry, method) ||
           (span_is(entry, SPAN("GET")) && span_is(method, SPAN("HEAD")));
}

/* A look at the first letter, since most entries are for other methods. */
static bool may_be_for(const char *entry, struct span method)
{
    char first = method.len ? method.at[0] : '\0';
    return *entry == '/' || *entry == first || (*entry == 'G' && first == 'H');
}

/* The length of the longest entry that matches; 0: none does. */
static size_t longest(const struct config_names *entries, struct span method, struct span path,
                      bool in_any_case)
{
    size_t found = 0;
    for (size_t i = 0; i < entries->count; i++) {
        if (!may_be_for(entries->at[i], method))
            continue;
        struct order_path p = order_path_parse(span_of(entries->at[i]));
        if (p.prefix.len > found && is_for(p.method, method) &&
            (in_any_case ? span_starts_nocase(path, p.prefix) : span_starts(path, p.prefix)))
            found = p.prefix.len;
    }
    return found;
}

static bool find_named(const struct upstream_config *u, struct span method, struct span path,
                       enum order_class *class)
{
    size_t places = longest(&u->order_paths, method, path, true);
    size_t cancels = longest(&u->cancel_paths, method, path, false);
    size_t reads = longest(&u->read_paths, method, path, false);
    if (places + cancels + reads == 0)
        return false;
    *class = places >= cancels && places >= reads ? ORDER_PLACES
             : cancels >= reads                   ? ORDER_CANCELS
                                                  : ORDER_READS;
    return true;
}

static enum order_class class_of(const struct upstream_config *u, struct span method,
                                 struct span path)
{
    enum order_class class;
    return find_named(u, method, path, &class) ? class : class_of_method(u, method);
}

/* ------------------------------------------------ paths that can be read in several ways */

/* Decodes what is percent-encoded. False: nothing was. */
static bool decode(struct text *path)
{
    size_t to = 0;
    for (size_t from = 0; from < path->len; to++) {
        int byte = path->at[from] == '%' ? percent_byte(text_span(path), from + 1) : -1;
        path->at[to] = byte < 0 ? path->at[from] : (char)byte;
        from += byte < 0 ? 1 : 3;
    }
    bool any = to < path->len;
    text_cut(path, to);
    return any;
}

static void drop_segment(struct text *path)
{
    size_t end = path->len;
    while (end && path->at[end - 1] != '/')
        end--;
    text_cut(path, end ? end - 1 : 0);
}

static void add_segment(struct text *path, struct span segment)
{
    segment = span_first(segment, span_find(segment, ';'));
    if (span_is(segment, SPAN("..")))
        drop_segment(path);
    else if (segment.len && !span_is(segment, SPAN("."))) {
        text_add_str(path, "/");
        text_add(path, segment);
    }
}

/* Without parameters, empty segments and dot segments (RFC 3986 5.2.4); \ is a separator. */
static void normalize(struct text *path, struct text *to)
{
    for (size_t i = 0; i < path->len; i++)
        if (path->at[i] == '\\')
            path->at[i] = '/';
    struct span rest = text_span(path);
    while (rest.len) {
        size_t len = span_find(rest, '/');
        add_segment(to, span_first(rest, len));
        rest = span_from(rest, len + 1);
    }
    if (to->len == 0 || path->at[path->len - 1] == '/')
        text_add_str(to, "/");
}

/* As a server reads it that decodes and normalizes all there is. */
static enum order_class class_when_normalized(const struct upstream_config *u, struct span method,
                                              struct span path)
{
    struct text decoded = {0}, normal = {0};
    text_add(&decoded, path);
    for (int i = 0; i < ROUNDS && decode(&decoded); i++)
        continue;
    normalize(&decoded, &normal);
    enum order_class class = class_of(u, method, text_span(&normal));
    text_free(&decoded);
    text_free(&normal);
    return class;
}

/* A DELETE is a cancel, and a GET a read, however its path is written, unless one way to read
 * it says otherwise. */
static enum order_class class_of_unclear(const struct upstream_config *u, struct span method,
                                         struct span path)
{
    if (changes(method))
        return ORDER_PLACES;
    enum order_class as_written = class_of(u, method, path);
    return as_written == ORDER_PLACES ? ORDER_PLACES : class_when_normalized(u, method, path);
}

/* ------------------------------------------------------------------------ rules */

static struct span path_of(struct span target)
{
    return span_first(target, span_find(target, '?'));
}

enum order_class order_class(const struct upstream_config *u, struct span method,
                             struct span target)
{
    struct span path = path_of(target);
    return order_path_is_plain(path) ? class_of(u, method, path)
                                     : class_of_unclear(u, method, path);
}

bool order_is_accounted(const struct upstream_config *u, struct span method, struct span target)
{
    enum order_class class = order_class(u, method, target);
    return class == ORDER_PLACES || class == ORDER_CANCELS;
}

bool order_passes_freeze(const struct upstream_config *u, struct span method, struct span target)
{
    enum order_class class = order_class(u, method, target);
    if (only_reads(method) || is_delete(method))
        return class != ORDER_PLACES;
    return (class == ORDER_READS || class == ORDER_CANCELS) && order_path_is_plain(path_of(target));
}

bool order_upgrade_passes_freeze(const struct upstream_config *u, struct span method,
                                 struct span target)
{
    enum order_class class;
    struct span path = path_of(target);
    return order_path_is_plain(path) && find_named(u, method, path, &class) && class == ORDER_READS;
}

/* ------------------------------------------------------------------- dedupe */

uint64_t order_dedupe_longest(const struct upstream_config *u)
{
    uint64_t longest = u->dedupe;
    for (size_t i = 0; i < u->path_count; i++)
        if (u->paths[i].settings->dedupe > longest)
            longest = u->paths[i].settings->dedupe;
    return longest;
}
