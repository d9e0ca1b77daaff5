#include "proxy/credentials.h"

#define DEPTHS 8 /* nested encodings told apart; deeper ones count as the last */

/* Asked of every field of every request: looks at first letters first. */
static bool begins_with_word(struct span s)
{
    switch (s.at[0] | 0x20) {
    case 'a': return span_starts_nocase(s, SPAN("auth"));
    case 'k': return span_starts_nocase(s, SPAN("key"));
    case 'p': return span_starts_nocase(s, SPAN("passphrase"));
    case 's': return span_starts_nocase(s, SPAN("sign")) || span_starts_nocase(s, SPAN("secret"));
    case 't': return span_starts_nocase(s, SPAN("token"));
    default: return false;
    }
}

static bool is_listed(const struct config_names *names, struct span name)
{
    for (size_t i = 0; i < names->count; i++)
        if ((names->at[i][0] | 0x20) == (name.at[0] | 0x20) &&
            span_is_nocase(name, span_of(names->at[i])))
            return true;
    return false;
}

bool credential_name(const struct config_names *names, struct span name)
{
    for (size_t from = 0; from < name.len; from++)
        if (begins_with_word(span_from(name, from)))
            return true;
    return name.len > 0 && is_listed(names, name);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that two hex digits at `at` stand for, or -1. */
static int hex_byte(struct span s, size_t at)
{
    if (at + 1 >= s.len)
        return -1;
    int high = hex_value(s.at[at]), low = hex_value(s.at[at + 1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* A byte as nested encodings spell it: "&" at depth 0, "%26" at 1, "%2526" at 2. */
struct unit {
    char byte;
    unsigned depth;
    size_t at, len;
};

static struct unit unit_at(struct span s, size_t at)
{
    struct unit u = {s.at[at], 0, at, 1};
    if (u.byte != '%')
        return u;
    size_t next = at + 1;
    int byte;
    while ((byte = hex_byte(s, next)) >= 0) {
        u.byte = (char)byte;
        u.depth++;
        next += 2;
        u.len = next - at;
        if (byte != '%')
            break;
    }
    if (u.depth >= DEPTHS)
        u.depth = DEPTHS - 1;
    return u;
}

/* Meant for the proxy; or of a WebSocket's handshake, whose "key" is a new one each time
 * (RFC 6455 11.3.1). */
static bool is_no_credential(struct span field)
{
    return span_starts_nocase(field, SPAN("Proxy-")) ||
           span_starts_nocase(field, SPAN("Sec-WebSocket-"));
}

bool field_is_credential(const struct upstream_config *u, struct span name)
{
    return !is_no_credential(name) && credential_name(&u->credential_headers, name);
}

static bool bears_field(const struct upstream_config *u, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        if (field_is_credential(u, fields->at[i].name))
            return true;
    return false;
}

/* Reads the parameter that begins at `*at` and goes on to the next one; returns its
 * value as it stands. */
static struct span read_parameter(struct span query, size_t *at, struct text *name)
{
    size_t i = *at;
    text_clear(name);
    for (; i < query.len && !memchr("=&;", query.at[i], 3); i++) {
        int byte = query.at[i] == '%' ? hex_byte(query, i + 1) : -1;
        char c = byte < 0 ? query.at[i] : (char)byte;
        i += byte < 0 ? 0 : 2;
        text_add(name, (struct span){&c, 1});
    }
    struct span value = span_from(query, i < query.len && query.at[i] == '=' ? i + 1 : i);
    while (i < query.len && query.at[i] != '&' && query.at[i] != ';')
        i++;
    *at = i + 1;
    return span_first(value, i - (size_t)(value.at - query.at));
}

bool query_parameter(struct span path, parameter_test *is_it, const void *context,
                     struct span *value)
{
    struct span query = span_from(path, span_find(path, '?') + 1);
    struct text name = {0};
    bool found = false;
    for (size_t at = 0; at < query.len && !found;) {
        *value = read_parameter(query, &at, &name);
        found = is_it(context, text_span(&name));
    }
    text_free(&name);
    return found;
}

static bool is_credential_parameter(const void *names, struct span name)
{
    return credential_name(names, name);
}

bool request_is_private(const struct upstream_config *u, const struct fields *fields,
                        struct span path)
{
    struct span ignored;
    return u->cert_file || bears_field(u, fields) ||
           query_parameter(path, is_credential_parameter, &u->credential_params, &ignored);
}

static bool ends_with_word(struct span s)
{
    static const struct span words[] = {
        {"key", 3}, {"sign", 4}, {"token", 5}, {"secret", 6}, {"passphrase", 10}, {"auth", 4},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (s.len >= words[i].len && span_is_nocase(span_from(s, s.len - words[i].len), words[i]))
            return true;
    return false;
}

/* What is being read of a target, decoded as deep as it goes. Where a name begins
 * depends on how often the origin decodes, so there is one reading for each
 * depth: reading d sees the separators of depth d and below. */
struct reading {
    const struct config_names *params;
    char *bytes; /* so far, decoded */
    size_t len;
    size_t start[DEPTHS]; /* of the name, in `bytes`, at the shortest */
    bool secret[DEPTHS];  /* the name, at the longest, contains a word */
    bool query[DEPTHS];   /* the "?" that begins it has been seen */
};

/* A broken escape may spell anything to somebody. */
static void read_byte(struct reading *r, const struct unit *u)
{
    r->bytes[r->len++] = u->byte;
    if (u->byte == '%' || ends_with_word((struct span){r->bytes, r->len}))
        memset(r->secret, true, sizeof r->secret);
}

static void read_separator(struct reading *r, const struct unit *u)
{
    r->bytes[r->len++] = u->byte;
    for (unsigned d = u->depth; d < DEPTHS; d++) {
        bool begins_query = u->byte == '?' && !r->query[d];
        r->start[d] = r->len;
        if (begins_query || strchr("&=:", u->byte))
            r->secret[d] = false;
        r->query[d] = r->query[d] || begins_query;
    }
}

/* Is the name that ends here, at a "=" of that depth, a credential's? */
static bool name_is_secret(const struct reading *r, unsigned depth)
{
    for (unsigned d = depth; d < DEPTHS; d++) {
        struct span name = {r->bytes + r->start[d], r->len - r->start[d]};
        while (name.len && name.at[0] == '"')
            name = span_from(name, 1);
        name = span_first(name, span_find(name, '"'));
        if (r->secret[d] || is_listed(r->params, name))
            return true;
    }
    return false;
}

static bool is_separator(char c)
{
    return c && strchr("/?&;=,{}", c);
}

/* "name=" or, inside JSON, "name": */
static bool is_assignment(const struct reading *r, char c)
{
    return c == '=' || (c == ':' && r->len && r->bytes[r->len - 1] == '"');
}

static bool ends_with_slash(const struct reading *r)
{
    return r->len && r->bytes[r->len - 1] == '/';
}

/* As it stands, but nothing that could end a field or a line of a log. */
static void add_escaped(struct text *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c > ' ' && c < 0x7f && c != '"' && c != '\\')
            text_add(out, (struct span){&c, 1});
        else
            text_printf(out, "%%%02X", (unsigned char)c);
    }
}

/* Where the value that begins at `at` ends: at the "&" of its depth or a lower one. */
static size_t value_end(struct span target, size_t at, unsigned depth)
{
    while (at < target.len) {
        struct unit u = unit_at(target, at);
        if (u.byte == '&' && u.depth <= depth && u.depth < DEPTHS - 1)
            break;
        at += u.len;
    }
    return at;
}

/* Where userinfo that begins at `at` ends (at its "@"), or `at`. */
static size_t userinfo_end(struct span target, size_t at, bool after_slash)
{
    bool colon = after_slash;
    for (size_t i = at; i < target.len;) {
        struct unit u = unit_at(target, i);
        if (u.byte == '@')
            return colon ? i : at;
        if (u.byte && strchr("/?&=", u.byte))
            return at;
        colon = colon || u.byte == ':';
        i += u.len;
    }
    return at;
}

/* Hides userinfo where a host may begin; returns where to read on. */
static size_t hide_userinfo(struct text *out, struct span target, size_t at, bool after_slash)
{
    size_t end = userinfo_end(target, at, after_slash);
    if (end > at)
        text_add_str(out, "***");
    return end;
}

void redact_target(struct text *out, const struct config_names *params, struct span target)
{
    struct reading r = {.params = params, .bytes = must_calloc(1, target.len + 1)};
    size_t at = hide_userinfo(out, target, 0, false);
    while (at < target.len) {
        struct unit u = unit_at(target, at);
        bool assigns = is_assignment(&r, u.byte), doubled = ends_with_slash(&r);
        at += u.len;
        add_escaped(out, (struct span){target.at + u.at, u.len});
        if (assigns && name_is_secret(&r, u.depth)) {
            text_add_str(out, "***");
            at = value_end(target, at, u.depth);
        }
        if (assigns || is_separator(u.byte))
            read_separator(&r, &u);
        else
            read_byte(&r, &u);
        if (u.byte == '/' || u.byte == '=')
            at = hide_userinfo(out, target, at, doubled && u.byte == '/');
    }
    free(r.bytes);
}
