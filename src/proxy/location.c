#include "proxy/location.h"

struct reference {          /* RFC 3986 4.1 */
    struct span path, rest; /* rest: query and fragment with their marks */
};

static struct reference reference_of(struct span s)
{
    size_t end = 0;
    while (end < s.len && s.at[end] != '?' && s.at[end] != '#')
        end++;
    return (struct reference){span_first(s, end), span_from(s, end)};
}

static bool is_alpha(char c)
{
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'z';
}

/* "mailto:…", RFC 3986 3.1. */
static bool has_scheme(struct span s)
{
    size_t i = 0;
    if (s.len == 0 || !is_alpha(s.at[0]))
        return false;
    while (i < s.len && (is_alpha(s.at[i]) || (s.at[i] >= '0' && s.at[i] <= '9') ||
                         s.at[i] == '+' || s.at[i] == '-' || s.at[i] == '.'))
        i++;
    return i < s.len && s.at[i] == ':';
}

/* The number of dots that a segment consists of ("%2e" is one, as in the WHATWG URL
 * standard); 0: it is an ordinary segment. */
static unsigned dots(struct span segment)
{
    unsigned count = 0;
    while (segment.len) {
        bool escaped = span_starts_nocase(segment, SPAN("%2e"));
        if (!escaped && segment.at[0] != '.')
            return 0;
        segment = span_from(segment, escaped ? 3 : 1);
        count++;
    }
    return count <= 2 ? count : 0;
}

/* The length of a path up to its last slash. */
static size_t parent(const char *path, size_t len)
{
    while (len && path[len - 1] != '/')
        len--;
    return len ? len - 1 : 0;
}

/* RFC 3986 5.2.4 for a path that begins with "/". Done here, since a client that resolved
 * the dots by itself would climb out of the prefix. */
static struct span remove_dots(struct arena *arena, struct span path)
{
    char *to = arena_alloc(arena, path.len + 1);
    size_t len = 0;
    while (path.len) {
        path = span_from(path, 1); /* past the slash */
        struct span segment = span_first(path, span_find(path, '/'));
        unsigned count = dots(segment);
        path = span_from(path, segment.len);
        if (count == 2)
            len = parent(to, len);
        if (count == 0 || path.len == 0)
            to[len++] = '/';
        if (count == 0 && segment.len) {
            memcpy(to + len, segment.at, segment.len);
            len += segment.len;
        }
    }
    return (struct span){to, len};
}

/* RFC 3986 5.2.3: the base's path up to its last slash, then the reference's. */
static struct span merge(struct arena *arena, struct span base, struct span path)
{
    size_t keep = base.len;
    while (keep && base.at[keep - 1] != '/')
        keep--;
    return span_of(arena_printf(arena, "%.*s%.*s", (int)keep, base.at, SPAN_ARG(path)));
}

/* Path, query and fragment at the origin, for a reference that has no authority. */
static struct span resolve(struct arena *arena, struct span base, struct span value)
{
    struct reference ref = reference_of(value), from = reference_of(base);
    if (from.path.at[0] != '/') /* OPTIONS * */
        from.path = SPAN("/");
    if (ref.path.len == 0)
        return span_of(arena_printf(arena, "%.*s%.*s", SPAN_ARG(from.path), SPAN_ARG(ref.rest)));
    if (ref.path.at[0] != '/')
        ref.path = merge(arena, from.path, ref.path);
    ref.path = remove_dots(arena, ref.path);
    return span_of(arena_printf(arena, "%.*s%.*s", SPAN_ARG(ref.path), SPAN_ARG(ref.rest)));
}

/* "/https://host/path" in the spelling that the client used; http if the origin is plain. */
static struct span as_prefix(struct arena *arena, const struct route *r, const struct origin *to,
                             struct span path)
{
    struct span parting = r->spelling.len ? span_from(r->spelling, strlen("/https")) : SPAN("://");
    struct span host = origin_authority(arena, to, false);
    return span_of(arena_printf(arena, "/http%s%.*s%.*s%.*s", to->secure ? "s" : "",
                                SPAN_ARG(parting), SPAN_ARG(host), SPAN_ARG(path)));
}

/* A path alone. One that began with "//" would be read as a host, hence the "/." */
static struct span as_path(struct arena *arena, struct span path)
{
    bool network = path.len > 1 && (path.at[1] == '/' || path.at[1] == '\\');
    return network ? span_of(arena_printf(arena, "/.%.*s", SPAN_ARG(path))) : path;
}

/* A target at the origin of the request, in the form in which the client named it. */
static struct span to_own(struct arena *arena, const struct route *r, struct span path)
{
    switch (r->form) {
    case FORM_PREFIX: return as_prefix(arena, r, &r->origin, path);
    case FORM_NAMED_PATH:
        return span_of(arena_printf(arena, "/%s%.*s", r->listed->name, SPAN_ARG(path)));
    case FORM_ABSOLUTE_HTTP: {
        struct span host = origin_authority(arena, &r->origin, false);
        return span_of(arena_printf(arena, "http://%.*s%.*s", SPAN_ARG(host), SPAN_ARG(path)));
    }
    case FORM_NAMED_HOST:
    case FORM_OWN_PORT:
    case FORM_ABSOLUTE_HTTPS:
    case FORM_CONNECT: break;
    }
    return as_path(arena, path);
}

/* Does the prefix form of this origin lead to where Location points? For a plain origin
 * only if it is configured as one: any other would be reached by TLS. */
static bool is_reachable(const struct config *config, const struct origin *o)
{
    if (o->secure)
        return true;
    return config_find_origin(config, false, o->host.at, o->host.len, o->port) &&
           !config_find_origin(config, true, o->host.at, o->host.len,
                               o->port == 80 ? 443 : o->port);
}

/* "https://host/…" */
static struct span rewrite_absolute(struct arena *arena, const struct config *config,
                                    const struct route *r, bool is_private, const struct origin *to,
                                    struct span rest, struct span value)
{
    bool own = route_leads_to(r, to);
    if (rest.len == 0 || rest.at[0] != '/')
        rest = span_of(arena_printf(arena, "/%.*s", SPAN_ARG(rest)));
    bool prefixed = r->form == FORM_PREFIX || r->form == FORM_NAMED_PATH;
    if (prefixed)
        rest = resolve(arena, SPAN("/"), rest);
    if (own && r->form == FORM_ABSOLUTE_HTTP && !to->secure)
        return value;
    if (own)
        return to_own(arena, r, rest);
    if (!prefixed || is_private || !is_reachable(config, to))
        return value;
    return as_prefix(arena, r, to, rest);
}

struct span location_rewrite(struct arena *arena, const struct config *config,
                             const struct route *r, bool is_private, struct span value)
{
    struct origin to;
    struct span rest;
    bool network = span_starts(value, SPAN("//"));
    if (r->form == FORM_CONNECT || r->form == FORM_ABSOLUTE_HTTPS || value.len == 0)
        return value;
    if (has_scheme(value) || network) {
        if (network && r->form == FORM_ABSOLUTE_HTTP)
            return value;
        struct span url = value;
        if (network) /* its scheme is that of the origin, also if it stays as it is */
            url = span_of(
                arena_printf(arena, "http%s:%.*s", r->origin.secure ? "s" : "", SPAN_ARG(value)));
        if (!origin_parse(arena, url, &to, &rest))
            return url;
        return rewrite_absolute(arena, config, r, is_private, &to, rest, url);
    }
    bool prefixed = r->form == FORM_PREFIX || r->form == FORM_NAMED_PATH;
    if (!prefixed || value.at[0] == '#')
        return value;
    return to_own(arena, r, resolve(arena, r->path, value));
}
