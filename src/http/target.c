#include "http/target.h"

#include "base/percent.h"

struct scheme {
    struct span name;
    bool plain; /* http or ws */
    bool websocket;
};

/* A name that is a prefix of another comes after it. */
static const struct scheme schemes[] = {
    {{"https", 5}, false, false},
    {{"http", 4}, true, false},
    {{"wss", 3}, false, true},
    {{"ws", 2}, true, true},
};

/* What separates the scheme from what follows it: nothing, "/", ":/", "://", or one of the
 * latter two with escapes. */
enum separator {
    SEPARATOR_NONE,
    SEPARATOR_SLASH,
    SEPARATOR_COLON_SLASH,
    SEPARATOR_FULL,
    SEPARATOR_ENCODED
};

static bool refuse(struct verdict *why, const char *detail)
{
    *why = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "%s", detail);
    return false;
}

bool target_is_clean(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] >= 0x7f || s.at[i] == '#')
            return false;
    return true;
}

/* The byte that "%XX" stands for, or -1. */
static int escaped_byte(struct span s, size_t at)
{
    return at < s.len && s.at[at] == '%' ? percent_byte(s, at + 1) : -1;
}

/* Decodes once; false if a "%" is not followed by two hex digits. */
static bool decode(struct arena *arena, struct span s, struct span *out)
{
    char *to = arena_alloc(arena, s.len + 1);
    *out = (struct span){to, 0};
    for (size_t i = 0; i < s.len; i++) {
        int byte = (unsigned char)s.at[i];
        if (byte == '%') {
            if ((byte = escaped_byte(s, i)) < 0)
                return false;
            i += 2;
        }
        to[out->len++] = (char)byte;
    }
    return true;
}

static const struct scheme *scheme_at(struct span s)
{
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (span_starts_nocase(s, schemes[i].name))
            return &schemes[i];
    return NULL;
}

/* The length of `c`, raw or escaped, at `at`; 0 if it is not there. */
static size_t take(struct span s, size_t at, char c, bool *escaped)
{
    if (at < s.len && s.at[at] == c)
        return 1;
    if (escaped_byte(s, at) != c)
        return 0;
    *escaped = true;
    return 3;
}

/* The separator at the front of `s`; `rest` is what follows it. `wants_all`: only "://" counts
 * as one. That is so for ws and wss in a path, since "/ws/KEY" is a path of some exchanges, whose
 * key must not be taken for a host. */
static enum separator separator_at(struct span s, bool wants_all, struct span *rest)
{
    bool escaped = false;
    size_t colon = take(s, 0, ':', &escaped);
    size_t first = colon ? take(s, colon, '/', &escaped) : 0;
    size_t second = first ? take(s, colon + first, '/', &escaped) : 0;
    *rest = span_from(s, colon + first + second);
    if (wants_all && !second)
        return SEPARATOR_NONE;
    if (first)
        return escaped ? SEPARATOR_ENCODED : second ? SEPARATOR_FULL : SEPARATOR_COLON_SLASH;
    *rest = span_from(s, 1);
    return s.len && s.at[0] == '/' ? SEPARATOR_SLASH : SEPARATOR_NONE;
}

/* "authority/path?query" behind a scheme. */
static bool parse_rest(struct arena *arena, const struct scheme *scheme, struct span rest,
                       struct target *t, struct verdict *why)
{
    size_t end = 0;
    while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
        end++;
    struct origin *o = &t->origin;
    if (!authority_parse(arena, span_first(rest, end), &o->host, &o->port, &o->is_ip))
        return refuse(why, "the target's host is neither a plain name nor an IP address, "
                           "or its port is wrong, or it has userinfo");
    if (o->port == 0 || (scheme->plain && o->port == 80))
        o->port = 443;
    o->secure = true;
    t->written_http = scheme->plain;
    t->websocket = scheme->websocket;
    t->path = span_from(rest, end);
    if (t->path.len == 0)
        t->path = SPAN("/");
    else if (t->path.at[0] == '?')
        t->path = span_of(arena_printf(arena, "/%.*s", SPAN_ARG(t->path)));
    return true;
}

static bool parse_encoded(struct arena *arena, const struct scheme *scheme, struct span rest,
                          struct target *t, struct verdict *why)
{
    struct span plain;
    if (!decode(arena, rest, &plain))
        return refuse(why, "the encoded target has a % without two hex digits");
    if (!target_is_clean(plain))
        return refuse(why, "the target, decoded, has a control, space, # or non-ASCII byte");
    return parse_rest(arena, scheme, plain, t, why);
}

/* The value of "/?url=" (contract 10): a raw one extends to the end, an encoded one to "&". */
static bool parse_parameter(struct arena *arena, struct span value, struct target *t,
                            struct verdict *why)
{
    t->form = TARGET_PARAMETER;
    t->spelling = SPAN("/https://");
    const struct scheme *scheme = scheme_at(value);
    struct span rest = value;
    enum separator separator =
        scheme ? separator_at(span_from(value, scheme->name.len), false, &rest) : SEPARATOR_NONE;
    switch (separator) {
    case SEPARATOR_FULL:
    case SEPARATOR_COLON_SLASH: return parse_rest(arena, scheme, rest, t, why);
    case SEPARATOR_ENCODED: {
        size_t end = span_find(rest, '&');
        if (end + 1 < rest.len)
            return refuse(why, "more parameters after an encoded ?url= value");
        return parse_encoded(arena, scheme, span_first(rest, end), t, why);
    }
    case SEPARATOR_NONE:
    case SEPARATOR_SLASH: break;
    }
    return refuse(why, "the value of ?url= must begin with https:// or http://");
}

/* "/...": one of the prefix forms, or a path that is routed by Host or name. */
static bool parse_path(struct arena *arena, struct span target, struct target *t,
                       struct verdict *why)
{
    if (span_starts(target, SPAN("/?url=")))
        return parse_parameter(arena, span_from(target, 6), t, why);
    struct span rest;
    const struct scheme *scheme = scheme_at(span_from(target, 1));
    enum separator separator =
        scheme ? separator_at(span_from(target, 1 + scheme->name.len), scheme->websocket, &rest)
               : SEPARATOR_NONE;
    if (separator == SEPARATOR_NONE) {
        t->form = TARGET_ORIGIN;
        t->path = target;
        return true;
    }
    t->form = separator == SEPARATOR_ENCODED ? TARGET_ENCODED : TARGET_PREFIX;
    t->spelling = SPAN("/https://");
    if (separator == SEPARATOR_ENCODED)
        return parse_encoded(arena, scheme, rest, t, why);
    if (separator != SEPARATOR_FULL)
        t->spelling = separator == SEPARATOR_SLASH ? SPAN("/https/") : SPAN("/https:/");
    return parse_rest(arena, scheme, rest, t, why);
}

static bool parse_absolute(struct arena *arena, struct span method, struct span target,
                           struct target *t, struct verdict *why)
{
    struct span rest;
    const struct scheme *scheme = scheme_at(target);
    if (!scheme || !span_starts(span_from(target, scheme->name.len), SPAN("://")))
        return refuse(why, "a target must begin with /, https:// or http://");
    t->form = scheme->plain ? TARGET_ABSOLUTE_HTTP : TARGET_ABSOLUTE_HTTPS;
    rest = span_from(target, scheme->name.len + 3);
    if (!parse_rest(arena, scheme, rest, t, why))
        return false;
    /* RFC 9112 3.2.4 */
    bool bare = span_find(rest, '/') == rest.len && span_find(rest, '?') == rest.len;
    if (bare && span_is(method, SPAN("OPTIONS")))
        t->path = SPAN("*");
    return true;
}

static bool parse_authority(struct arena *arena, struct span target, struct target *t,
                            struct verdict *why)
{
    struct origin *o = &t->origin;
    t->form = TARGET_AUTHORITY;
    t->path = SPAN("/");
    o->secure = true;
    if (!authority_parse(arena, target, &o->host, &o->port, &o->is_ip) || o->port == 0)
        return refuse(why, "the target of CONNECT must be host:port");
    return true;
}

bool target_parse(struct arena *arena, struct span method, struct span target, struct target *t,
                  struct verdict *why)
{
    *t = (struct target){.form = TARGET_ORIGIN};
    if (target.len == 0 || !target_is_clean(target))
        return refuse(why, "the target has a control, space, # or non-ASCII byte, or is empty");
    if (span_is(method, SPAN("CONNECT")))
        return parse_authority(arena, target, t, why);
    if (target.at[0] == '/')
        return parse_path(arena, target, t, why);
    if (!span_is(target, SPAN("*")))
        return parse_absolute(arena, method, target, t, why);
    if (!span_is(method, SPAN("OPTIONS")))
        return refuse(why, "the target * is valid for OPTIONS only");
    t->form = TARGET_ASTERISK;
    t->path = target;
    return true;
}
