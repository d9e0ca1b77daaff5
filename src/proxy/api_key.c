#include "proxy/api_key.h"

#include <jansson.h>

#include "budget/credential.h"
#include "proxy/credentials.h"

#define TOKEN_PART_MAX 4096 /* bytes; a longer part of a token is not read */

/* ------------------------------------------------------------- where the key is */

/* Values that differ with each request. */
static bool is_of_one_request(struct span name)
{
    static const struct span words[] = {{"sign", 4}, {"timestamp", 9}, {"passphrase", 10}};
    for (size_t at = 0; at < name.len; at++)
        for (size_t i = 0; i < COUNT_OF(words); i++)
            if (span_starts_nocase(span_from(name, at), words[i]))
                return true;
    return false;
}

static bool find_value(const struct fields *fields, struct span name, struct span *value)
{
    const struct field *f = fields_find(fields, name);
    *value = f ? span_trim(f->value) : (struct span){0};
    return value->len > 0;
}

static bool find_header(const struct upstream_config *u, const struct fields *fields,
                        struct span *value)
{
    const struct config_names *names = &u->credential_headers;
    bool cookie_counts = false;
    for (size_t i = 0; i < names->count; i++) {
        struct span name = span_of(names->at[i]);
        bool is_cookie = span_is_nocase(name, SPAN("Cookie"));
        cookie_counts = cookie_counts || is_cookie;
        if (!is_cookie && field_is_credential(u, name) && !is_of_one_request(name) &&
            find_value(fields, name, value))
            return true;
    }
    return cookie_counts && find_value(fields, SPAN("Cookie"), value);
}

static bool is_listen_key(const void *unused, struct span name)
{
    (void)unused;
    return span_is_nocase(name, SPAN("listenKey"));
}

/* ------------------------------------------------------------------------- tokens */

static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Without padding (RFC 7515 2). Returns the number of bytes; 0: `part` is malformed. */
static size_t base64url_decode(struct span part, char *to)
{
    uint32_t bits = 0;
    size_t len = 0;
    for (size_t i = 0; i < part.len; i++) {
        int value = base64url_value(part.at[i]);
        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4)
            to[len++] = (char)(bits >> (6 - i % 4 * 2));
    }
    return part.len % 4 == 1 ? 0 : len;
}

/* A part of a token as a JSON object; NULL: it is not one. */
static json_t *part_object(struct span part)
{
    char decoded[TOKEN_PART_MAX];
    if (part.len > sizeof decoded)
        return NULL;
    json_t *o = json_loadb(decoded, base64url_decode(part, decoded), 0, NULL);
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text && *text ? text : NULL;
}

/* The identity of the name in a token (header.payload.signature). False: it is no token, or has
 * no name in it. */
static bool name_in_token(struct span value, uint64_t *key)
{
    size_t dot = span_find(value, '.'),
           second = dot + 1 + span_find(span_from(value, dot + 1), '.');
    if (second >= value.len ||
        span_find(span_from(value, second + 1), '.') + second + 1 < value.len)
        return false;
    json_t *head = part_object(span_first(value, dot)), *payload = NULL;
    const char *name = head ? member(head, "kid") : NULL;
    if (head && name == NULL) {
        payload = part_object(span_first(span_from(value, dot + 1), second - dot - 1));
        name = payload ? member(payload, "sub") : NULL;
    }
    if (name)
        *key = credential_of(span_of(name));
    json_decref(head);
    json_decref(payload);
    return name != NULL;
}

uint64_t request_api_key(const struct upstream_config *u, const struct fields *fields,
                         struct span path)
{
    struct span value;
    uint64_t key;
    if (!find_header(u, fields, &value) &&
        !(query_parameter(path, is_listen_key, NULL, &value) && value.len))
        return CREDENTIAL_NONE;
    struct span token = value;
    if (span_starts_nocase(token, SPAN("Bearer ")))
        token = span_trim(span_from(token, 7));
    return name_in_token(token, &key) ? key : credential_of(value);
}
