#include "proxy/redact.h"

#include "base/percent.h"
#include "proxy/credentials.h"

#define DEPTHS 8 /* levels of nested encoding that are told apart; deeper ones count as the last */
#define UNKNOWN_SHOWN 16 /* characters of a first segment that names no upstream */
#define TOKEN_MIN 32     /* characters of a segment that may be a secret */
#define UUID_LEN 36

/* A byte in a nested encoding: "&" is at depth 0, "%26" at 1, "%2526" at 2. */
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
    while ((byte = percent_byte(s, next)) >= 0) {
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

/* The reading of a target, decoded as deeply as possible. Where a name begins depends on how
 * often the origin decodes, so there is one reading for each depth: reading d sees the
 * separators of depth d and below. */
struct reading {
    const struct config_names *params;
    struct text *out;
    char *bytes; /* decoded so far */
    size_t len;
    size_t start[DEPTHS]; /* where the shortest possible name begins, in `bytes` */
    bool secret[DEPTHS];  /* the longest possible name contains one of the words */
    bool query[DEPTHS];   /* the "?" that begins the query has been seen */

    size_t segment, shown; /* where the present segment begins, in `bytes` and in `out` */
    char begun_by;         /* the separator before it; '\0' at the target's start */
    struct span previous;  /* the segment before */
    bool is_authority;     /* the present segment follows "//" */
    bool in_streams;       /* it is in a list of stream names or listen keys */
    bool is_unrouted;      /* it is the first one of a request that goes to no upstream */
    bool has_colon;        /* it has a colon, which was checked for "bot123" before it */
};

/* ---------------------------------------------------------------- parameters */

static bool ends_with(struct span s, struct span word)
{
    return s.len >= word.len && span_is_nocase(span_from(s, s.len - word.len), word);
}

/* A name that contains one of these words is a credential's. This is called at every byte,
 * hence the switch by last letters. "sign" contains "sig"; "passphrase" and "password" contain
 * "pass". */
static bool ends_with_word(struct span s)
{
    if (s.len == 0)
        return false;
    switch (s.at[s.len - 1] | 0x20) {
    case 'c': return ends_with(s, SPAN("hmac"));
    case 'g': return ends_with(s, SPAN("sig"));
    case 'h': return ends_with(s, SPAN("auth"));
    case 'n': return ends_with(s, SPAN("token")) || ends_with(s, SPAN("session"));
    case 's': return ends_with(s, SPAN("pass"));
    case 't': return ends_with(s, SPAN("secret")) || ends_with(s, SPAN("jwt"));
    case 'y': return ends_with(s, SPAN("key"));
    default: return false;
    }
}

/* A broken escape may decode to anything somewhere, so it makes the name a secret. */
static void read_byte(struct reading *r, const struct unit *u)
{
    r->bytes[r->len++] = u->byte;
    if (u->byte == '%' || ends_with_word((struct span){r->bytes, r->len}))
        memset(r->secret, true, sizeof r->secret);
}

static void read_separator(struct reading *r, const struct unit *u)
{
    bool ends_name = u->byte == '&' || u->byte == '=' || u->byte == ':';
    r->bytes[r->len++] = u->byte;
    for (unsigned d = u->depth; d < DEPTHS; d++) {
        bool begins_query = u->byte == '?' && !r->query[d];
        r->start[d] = r->len;
        if (begins_query || ends_name)
            r->secret[d] = false;
        r->query[d] = r->query[d] || begins_query;
    }
}

/* Is the name that ends here, at a "=" of that depth, a credential's? Depths at which it begins
 * at the same place are checked once. */
static bool name_is_secret(const struct reading *r, unsigned depth)
{
    for (unsigned d = depth; d < DEPTHS; d++) {
        if (d > depth && r->start[d] == r->start[d - 1] && r->secret[d] == r->secret[d - 1])
            continue;
        struct span name = {r->bytes + r->start[d], r->len - r->start[d]};
        while (name.len && name.at[0] == '"')
            name = span_from(name, 1);
        name = span_first(name, span_find(name, '"'));
        if (r->secret[d] || credential_is_listed(r->params, name))
            return true;
    }
    return false;
}

static bool is_separator(char c)
{
    switch (c) {
    case '/':
    case '?':
    case '&':
    case ';':
    case '=':
    case ',':
    case '{':
    case '}': return true;
    default: return false;
    }
}

/* "name=" or, inside JSON, "name": */
static bool is_assignment(const struct reading *r, char c)
{
    return c == '=' || (c == ':' && r->len && r->bytes[r->len - 1] == '"');
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

/* ------------------------------------------------------------------ segments */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'z';
}

/* RFC 9562 4: 8-4-4-4-12 hex digits. */
static bool is_uuid(struct span s)
{
    if (s.len != UUID_LEN)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char low = (char)(s.at[i] | 0x20);
        if (dash ? s.at[i] != '-' : !is_digit(s.at[i]) && !(low >= 'a' && low <= 'f'))
            return false;
    }
    return true;
}

static bool is_token(struct span s)
{
    bool letter = false, digit = false;
    for (size_t i = 0; i < s.len; i++) {
        letter |= is_letter(s.at[i]);
        digit |= is_digit(s.at[i]);
    }
    return s.len >= TOKEN_MIN && letter && digit && !is_uuid(s);
}

/* "bot123456", before the colon of Telegram's bot tokens. */
static bool is_bot(struct span s)
{
    size_t i = 3;
    while (i < s.len && is_digit(s.at[i]))
        i++;
    return i > 3 && i == s.len && span_starts_nocase(s, SPAN("bot"));
}

static struct span segment_of(const struct reading *r)
{
    return (struct span){r->bytes + r->segment, r->len - r->segment};
}

/* A listen key is a path segment just like a stream's name, but has no "@". */
static bool segment_is_secret(const struct reading *r, struct span s)
{
    if (r->is_unrouted && s.len > UNKNOWN_SHOWN)
        return true;
    if (r->in_streams)
        return span_find(s, '@') == s.len || is_token(s);
    return (r->begun_by == '/' || r->begun_by == '\0') && !r->is_authority && is_token(s);
}

static bool begins_streams(const struct reading *r, struct span s, char ended_by)
{
    if (ended_by == '=')
        return span_is_nocase(s, SPAN("streams"));
    return ended_by == '/' && r->begun_by == '/' && !r->is_authority &&
           (span_is_nocase(s, SPAN("ws")) || span_is_nocase(s, SPAN("wss")) ||
            span_is_nocase(s, SPAN("stream")) || span_is_nocase(s, SPAN("streams")));
}

/* The segment ends here, at a separator ('\0': at the target's end), which has not been read
 * yet. Redacts the segment if it has to be. */
static void end_segment(struct reading *r, char ended_by)
{
    struct span s = segment_of(r);
    if (s.len && segment_is_secret(r, s)) {
        text_cut(r->out, r->shown);
        text_add_str(r->out, "***");
    }
    if (begins_streams(r, s, ended_by))
        r->in_streams = true;
    else if (ended_by != '/' && ended_by != ',')
        r->in_streams = false;
    if (s.len)
        r->is_unrouted = false;
    r->previous = s;
}

/* The next segment begins after the separator, which has been read and appended. */
static void begin_segment(struct reading *r, char begun_by)
{
    r->is_authority = begun_by == '/' && r->begun_by == '/' && r->len == r->segment + 1;
    r->begun_by = begun_by;
    r->has_colon = false;
    r->segment = r->len;
    r->shown = r->out->len;
}

/* ------------------------------------------------------------------ userinfo */

/* A segment that follows `http/` or `https/` is an authority as well (contract 3). */
static bool follows_scheme(const struct reading *r)
{
    return span_is_nocase(r->previous, SPAN("http")) || span_is_nocase(r->previous, SPAN("https"));
}

/* The end of userinfo that begins at `at` (its last "@"), or `at` if there is none. Where it
 * is not certain that an authority begins, only text with a colon counts as userinfo. */
static size_t userinfo_end(struct span target, size_t at, bool is_authority)
{
    bool colon = is_authority;
    size_t end = at;
    for (size_t i = at; i < target.len;) {
        struct unit u = unit_at(target, i);
        if (u.byte == '/' || u.byte == '?')
            break;
        if (!is_authority && (u.byte == '&' || u.byte == '='))
            break;
        if (u.byte == '@' && colon)
            end = i;
        colon = colon || u.byte == ':';
        i += u.len;
    }
    return end;
}

/* Redacts userinfo where a host may begin. Returns where to read on. */
static size_t hide_userinfo(struct reading *r, struct span target, size_t at, bool is_authority)
{
    size_t end = userinfo_end(target, at, is_authority);
    if (end > at)
        text_add_str(r->out, "***");
    return end;
}

/* ------------------------------------------------------------------- reading */

static bool is_plain(char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* Unchanged, except for what could end a field or a line of a log. */
static void add_escaped(struct text *out, struct span s)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        const char escaped[] = {'%', digits[c >> 4], digits[c & 15]};
        text_add(out, is_plain(s.at[i]) ? (struct span){s.at + i, 1}
                                        : (struct span){escaped, sizeof escaped});
    }
}

/* Where the segment that holds `at` ends. */
static size_t segment_end(struct span target, size_t at)
{
    while (at < target.len) {
        struct unit u = unit_at(target, at);
        if (is_separator(u.byte))
            break;
        at += u.len;
    }
    return at;
}

/* Called at each ":". Does a bot's token follow it? Only after the first one of a segment. */
static bool begins_bot_token(struct reading *r)
{
    bool begins = !r->has_colon && is_bot(segment_of(r));
    r->has_colon = true;
    return begins;
}

/* Reads one unit, and what is redacted because of it. Returns where to read on. */
static size_t read_unit(struct reading *r, struct span target, size_t at)
{
    struct unit u = unit_at(target, at);
    bool assigns = is_assignment(r, u.byte), separates = assigns || is_separator(u.byte);
    bool is_bots = u.byte == ':' && !assigns && begins_bot_token(r);
    if (separates)
        end_segment(r, u.byte);
    at += u.len;
    add_escaped(r->out, (struct span){target.at + u.at, u.len});
    if (assigns && name_is_secret(r, u.depth)) {
        text_add_str(r->out, "***");
        at = value_end(target, at, u.depth);
    } else if (is_bots && segment_end(target, at) > at) {
        text_add_str(r->out, "***");
        at = segment_end(target, at);
    }
    if (!separates) {
        read_byte(r, &u);
        return at;
    }
    read_separator(r, &u);
    begin_segment(r, u.byte);
    if (u.byte == '/')
        return hide_userinfo(r, target, at, r->is_authority || follows_scheme(r));
    return u.byte == '=' ? hide_userinfo(r, target, at, false) : at;
}

/* Most targets are short words between slashes, of which nothing is ever redacted: no segment is
 * long enough for a token, none names a list of streams (they begin with "s" or "w"), and nothing
 * is encoded or assigned. */
bool redact_shows_target(struct span target)
{
    size_t segment = 0; /* its length so far */
    for (size_t i = 0; i < target.len; i++) {
        char c = target.at[i], low = (char)(c | 0x20);
        if (c == '/') {
            segment = 0;
            continue;
        }
        if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
        if ((segment == 0 && (low == 's' || low == 'w')) || ++segment >= TOKEN_MIN)
            return false;
    }
    return true;
}

static void redact(struct text *out, const struct config_names *params, struct span target,
                   bool is_unrouted)
{
    struct reading r = {.params = params,
                        .out = out,
                        .bytes = must_calloc(1, target.len + 1),
                        .shown = out->len,
                        .is_unrouted = is_unrouted};
    bool is_path = target.len && target.at[0] == '/';
    size_t at = is_path ? 0 : hide_userinfo(&r, target, 0, true);
    while (at < target.len)
        at = read_unit(&r, target, at);
    end_segment(&r, '\0');
    free(r.bytes);
}

void redact_target(struct text *out, const struct config_names *params, struct span target)
{
    if (redact_shows_target(target))
        text_add(out, target);
    else
        redact(out, params, target, false);
}

/* Only in a path can the first segment be anything. */
void redact_unrouted(struct text *out, const struct config_names *params, struct span target)
{
    redact(out, params, target, target.len && target.at[0] == '/');
}

bool redact_shows_segment(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_letter(s.at[i]) && !is_digit(s.at[i]) && !strchr("-._", s.at[i]))
            return false;
    return s.len > 0 && s.len <= UNKNOWN_SHOWN;
}
