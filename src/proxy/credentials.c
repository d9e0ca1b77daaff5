#include "proxy/credentials.h"

#include "base/percent.h"

/* Of the letters, and of the lengths, whose lower five bits are those of `n`. */
#define BIT(n) (UINT32_C(1) << ((n)&31))

/* What comes second in the words below, by what comes first. */
static const uint32_t seconds[CONFIG_NAMES_FIRSTS] = {['a' & 31] = BIT('u'),
                                                      ['k' & 31] = BIT('e'),
                                                      ['p' & 31] = BIT('a'),
                                                      ['s' & 31] = BIT('i') | BIT('e'),
                                                      ['t' & 31] = BIT('o')};

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

bool credential_is_listed(const struct config_names *names, struct span name)
{
    if (name.len == 0 || (names->are_known && !(names->lengths[name.at[0] & 31] & BIT(name.len))))
        return false;
    for (size_t i = 0; i < names->count; i++)
        if ((names->at[i][0] | 0x20) == (name.at[0] | 0x20) &&
            (name.len == 1 || (names->at[i][1] | 0x20) == (name.at[1] | 0x20)) &&
            span_is_nocase(name, span_of(names->at[i])))
            return true;
    return false;
}

bool credential_name(const struct config_names *names, struct span name)
{
    for (size_t from = 0; from + 1 < name.len; from++)
        if (seconds[name.at[from] & 31] & BIT(name.at[from + 1]) &&
            begins_with_word(span_from(name, from)))
            return true;
    return credential_is_listed(names, name);
}

/* Fields for the proxy; and those of a WebSocket's handshake, whose "key" is a nonce (RFC 6455
 * 11.3.1). */
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

/* Reads the parameter that begins at `*at`, and moves `*at` to the next one. Returns its
 * value, not decoded. */
static struct span read_parameter(struct span query, size_t *at, struct text *name)
{
    size_t i = *at;
    text_clear(name);
    for (; i < query.len && !memchr("=&;", query.at[i], 3); i++) {
        int byte = query.at[i] == '%' ? percent_byte(query, i + 1) : -1;
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
