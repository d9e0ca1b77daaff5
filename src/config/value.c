#include "config/value.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config/endpoint.h"
#include "config/host.h"
#include "config/preset.h"
#include "config/quantity.h"

static const struct choice {
    enum directive_row row;
    const char *name;
    int value;
} choices[] = {
    {ROW_GLOBAL_unlisted, "allow", UNLISTED_ALLOW},
    {ROW_GLOBAL_unlisted, "deny", UNLISTED_DENY},
    {ROW_GLOBAL_connect, "tunnel", CONNECT_TUNNEL},
    {ROW_GLOBAL_connect, "intercept", CONNECT_INTERCEPT},
    {ROW_GLOBAL_connect, "deny", CONNECT_DENY},
    {ROW_GLOBAL_log_level, "error", LOG_LEVEL_ERROR},
    {ROW_GLOBAL_log_level, "warn", LOG_LEVEL_WARN},
    {ROW_GLOBAL_log_level, "info", LOG_LEVEL_INFO},
    {ROW_GLOBAL_log_level, "debug", LOG_LEVEL_DEBUG},
    {ROW_GLOBAL_access_log_format, "logfmt", LOG_FORMAT_LOGFMT},
    {ROW_GLOBAL_access_log_format, "json", LOG_FORMAT_JSON},
    {ROW_http2, "auto", HTTP2_AUTO},
    {ROW_http2, "never", HTTP2_NEVER},
    {ROW_http2, "always", HTTP2_ALWAYS},
    {ROW_on_limit, "wait", ON_LIMIT_WAIT},
    {ROW_on_limit, "refuse", ON_LIMIT_REFUSE},
    {ROW_limit_scope, "credential", LIMIT_SCOPE_CREDENTIAL},
    {ROW_limit_scope, "ip", LIMIT_SCOPE_IP},
    {ROW_tls_min, "1.2", 12},
    {ROW_tls_min, "1.3", 13},
};

static bool deny(char *why, const char *what)
{
    snprintf(why, VALUE_WHY_SIZE, "%s", what);
    return false;
}

static bool choice_read(const struct directive *d, const char *text, int *value, char *why)
{
    size_t len = (size_t)snprintf(why, VALUE_WHY_SIZE, "must be one of");
    for (const struct choice *c = choices; c < choices + COUNT_OF(choices); c++) {
        if (c->row != directive_row(d))
            continue;
        if (strcmp(c->name, text) == 0) {
            *value = c->value;
            return true;
        }
        len += (size_t)snprintf(why + len, VALUE_WHY_SIZE - len, " %s", c->name);
    }
    return false;
}

static const char *choice_name(const struct directive *d, int value)
{
    for (const struct choice *c = choices; c < choices + COUNT_OF(choices); c++)
        if (c->row == directive_row(d) && c->value == value)
            return c->name;
    CHECK(!"a choice without a name");
    return "";
}

static bool bool_read(const char *text, bool *value, char *why)
{
    int answer = cfg_parse_boolean(text);
    *value = answer == 1;
    return answer >= 0 || deny(why, "must be yes or no");
}

/* A token of RFC 9110 5.6.2. */
static bool is_token(const char *text)
{
    return *text && text[strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool is_parameter(const char *text)
{
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("&=#", *p))
            return false;
    return *text != '\0';
}

static bool name_read(struct arena *a, const struct directive *d, const char *text,
                      struct config_names *to, char *why)
{
    const char *name = text;
    switch (directive_row(d)) {
    case ROW_GLOBAL_allow_hosts:
        name = host_read(a, span_of(text));
        if (name == NULL)
            return deny(why, "must be a plain host name or an IP address");
        break;
    case ROW_credential_headers:
        if (!is_token(text))
            return deny(why, "must be the name of a header");
        break;
    case ROW_shareable_headers:
        if (!is_token(text) || *text == '*')
            return deny(why, "must be the name of a header, or the beginning of names and a *");
        break;
    case ROW_error_prefix:
    case ROW_known_refusals:
        if (*text == '\0' || strlen(text) > ERROR_PREFIX_MAX)
            return deny(why, "must have 1 to 256 bytes");
        break;
    default:
        if (!is_parameter(text))
            return deny(why, "must be the name of a query parameter");
    }
    to->at = arena_grow(a, to->at, to->count * sizeof *to->at, (to->count + 1) * sizeof *to->at);
    to->at[to->count++] = arena_span(a, span_of(name)).at;
    return true;
}

static bool deny_preset(char *why)
{
    const char *name;
    size_t len = (size_t)snprintf(why, VALUE_WHY_SIZE, "must be one of");
    for (size_t n = 0; (name = preset_name(n)); n++)
        len += (size_t)snprintf(why + len, VALUE_WHY_SIZE - len, " %s", name);
    return false;
}

static bool text_read(struct arena *a, const struct directive *d, const char *text, const char **to,
                      char *why)
{
    struct host_origin ignored;
    const char *reason = "";
    *to = *text ? arena_span(a, span_of(text)).at : NULL;
    switch (directive_row(d)) {
    case ROW_url: return host_origin_read(a, text, &ignored, &reason) || deny(why, reason);
    case ROW_preset: return *text == '\0' || preset_find(text) || deny_preset(why);
    case ROW_weight_header:
    case ROW_serialize_by:
        return *text == '\0' || is_token(text) || deny(why, "must be the name of a header");
    case ROW_hold_until_prefix:
        return strlen(text) <= ERROR_PREFIX_MAX || deny(why, "must have 1 to 256 bytes");
    case ROW_tls_name:
        *to = *text ? host_read(a, span_of(text)) : NULL;
        return *to || *text == '\0' || deny(why, "must be a plain host name or an IP address");
    case ROW_GLOBAL_access_log:
        return strcmp(text, "off") == 0 || strcmp(text, "stderr") == 0 || strchr(text, '/') ||
               deny(why, "must be off, stderr or a path with a /");
    default: return true;
    }
}

static bool address_read(struct arena *a, const char *text, struct config_address *to, char *why)
{
    const char *reason;
    return endpoint_read(a, text, to, &reason) || deny(why, reason);
}

static bool addresses_read(struct arena *a, const char *text, struct config_addresses *to,
                           char *why)
{
    struct config_address one;
    if (!address_read(a, text, &one, why))
        return false;
    to->at = arena_grow(a, to->at, to->count * sizeof one, (to->count + 1) * sizeof one);
    to->at[to->count++] = one;
    return true;
}

static bool cidrs_read(struct arena *a, const char *text, struct config_cidrs *to, char *why)
{
    struct config_cidr one;
    const char *reason;
    if (!cidr_read(text, &one, &reason))
        return deny(why, reason);
    to->at = arena_grow(a, to->at, to->count * sizeof one, (to->count + 1) * sizeof one);
    to->at[to->count++] = one;
    return true;
}

/* Digits, five at most; 0: anything else. */
static unsigned long short_number(const char *text)
{
    bool good = *text && strlen(text) <= 5 && text[strspn(text, "0123456789")] == '\0';
    return good ? strtoul(text, NULL, 10) : 0;
}

static bool ports_read(struct arena *a, const char *text, struct config_ports *to, char *why)
{
    unsigned long port = short_number(text);
    if (port == 0 || port > UINT16_MAX)
        return deny(why, "must be a port from 1 to 65535");
    to->at = arena_grow(a, to->at, to->count * sizeof *to->at, (to->count + 1) * sizeof *to->at);
    to->at[to->count++] = (uint16_t)port;
    return true;
}

static bool statuses_read(struct arena *a, const char *text, struct config_statuses *to, char *why)
{
    unsigned long status = short_number(text);
    if (status < 400 || status > 599)
        return deny(why, "must be a status from 400 to 599");
    to->at = arena_grow(a, to->at, to->count * sizeof *to->at, (to->count + 1) * sizeof *to->at);
    to->at[to->count++] = (uint16_t)status;
    return true;
}

static bool rate_read(const char *text, struct config_rate *to, char *why)
{
    *to = (struct config_rate){0};
    return *text == '\0' || quantity_read_rate(text, &to->count, &to->per_ms) ||
           deny(why, "must be COUNT/DURATION, such as \"1200/1m\" (a day at most)");
}

bool value_read(struct arena *a, const struct directive *d, const char *text, void *field,
                char why[VALUE_WHY_SIZE])
{
    uint64_t number = 0;
    bool good;
    switch (d->kind) {
    case KIND_DURATION:
    case KIND_SIZE: return quantity_read(d, text, field, why, VALUE_WHY_SIZE);
    case KIND_COUNT:
        good = quantity_read(d, text, &number, why, VALUE_WHY_SIZE);
        *(config_COUNT *)field = good ? (config_COUNT)number : 0;
        return good;
    case KIND_BOOL: return bool_read(text, field, why);
    case KIND_TEXT: return text_read(a, d, text, field, why);
    case KIND_NAMES: return name_read(a, d, text, field, why);
    case KIND_ADDRESSES: return addresses_read(a, text, field, why);
    case KIND_ADDRESS:
        memset(field, 0, sizeof(config_ADDRESS));
        return *text == '\0' || address_read(a, text, field, why);
    case KIND_CIDRS: return cidrs_read(a, text, field, why);
    case KIND_PORTS: return ports_read(a, text, field, why);
    case KIND_STATUSES: return statuses_read(a, text, field, why);
    case KIND_RATE: return rate_read(text, field, why);
    case KIND_CHOICE: return choice_read(d, text, field, why);
    }
    return false;
}

bool value_usable(const struct directive *d, const char *text, char why[VALUE_WHY_SIZE])
{
    enum directive_row row = directive_row(d);
    struct stat st;
    bool is_file = row == ROW_ca_file || row == ROW_cert_file || row == ROW_key_file ||
                   row == ROW_GLOBAL_ca_cert || row == ROW_GLOBAL_ca_key;
    if (!is_file || *text == '\0')
        return true;
    if (stat(text, &st) != 0 || faccessat(AT_FDCWD, text, R_OK, AT_EACCESS) != 0) {
        snprintf(why, VALUE_WHY_SIZE, "%m");
        return false;
    }
    return S_ISREG(st.st_mode) || deny(why, "is not a file");
}

/* libconfuse expands ${} and backslashes between double quotes. */
void value_print_quoted(const char *text, struct text *out)
{
    text_add_str(out, "\"");
    for (const char *p = text; p && *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f) {
            text_printf(out, "\\x%02x", (unsigned char)*p);
            continue;
        }
        if (*p == '"' || *p == '\\' || *p == '$')
            text_add_str(out, "\\");
        text_add(out, (struct span){p, 1});
    }
    text_add_str(out, "\"");
}

static void print_names(const struct config_names *names, struct text *out)
{
    for (size_t i = 0; i < names->count; i++) {
        text_add_str(out, i ? ", " : "");
        value_print_quoted(names->at[i], out);
    }
}

static void print_addresses(const struct config_addresses *addresses, struct text *out)
{
    for (size_t i = 0; i < addresses->count; i++) {
        text_add_str(out, i ? ", " : "");
        value_print_quoted(addresses->at[i].text, out);
    }
}

static void print_cidrs(const struct config_cidrs *cidrs, struct text *out)
{
    for (size_t i = 0; i < cidrs->count; i++) {
        text_add_str(out, i ? ", \"" : "\"");
        cidr_print(&cidrs->at[i], out);
        text_add_str(out, "\"");
    }
}

static void print_numbers(const uint16_t *at, size_t count, struct text *out)
{
    for (size_t i = 0; i < count; i++)
        text_printf(out, i ? ", %u" : "%u", (unsigned)at[i]);
}

static void print_list(const struct directive *d, const void *field, struct text *out)
{
    text_add_str(out, "{");
    if (d->kind == KIND_NAMES)
        print_names(field, out);
    else if (d->kind == KIND_ADDRESSES)
        print_addresses(field, out);
    else if (d->kind == KIND_PORTS)
        print_numbers(((const config_PORTS *)field)->at, ((const config_PORTS *)field)->count, out);
    else if (d->kind == KIND_STATUSES)
        print_numbers(((const config_STATUSES *)field)->at, ((const config_STATUSES *)field)->count,
                      out);
    else
        print_cidrs(field, out);
    text_add_str(out, "}");
}

static void print_rate(const struct config_rate *rate, struct text *out)
{
    text_add_str(out, "\"");
    if (rate->count) {
        text_add_number(out, rate->count);
        text_add_str(out, "/");
        quantity_print(KIND_DURATION, rate->per_ms, out);
    }
    text_add_str(out, "\"");
}

void value_print(const struct directive *d, const void *field, struct text *out)
{
    switch (d->kind) {
    case KIND_DURATION:
    case KIND_SIZE: quantity_print(d->kind, *(const uint64_t *)field, out); break;
    case KIND_COUNT: quantity_print(d->kind, *(const config_COUNT *)field, out); break;
    case KIND_BOOL: text_add_str(out, *(const config_BOOL *)field ? "yes" : "no"); break;
    case KIND_TEXT: value_print_quoted(*(const config_TEXT *)field, out); break;
    case KIND_ADDRESS: value_print_quoted(((const config_ADDRESS *)field)->text, out); break;
    case KIND_RATE: print_rate(field, out); break;
    case KIND_CHOICE: text_add_str(out, choice_name(d, *(const config_CHOICE *)field)); break;
    case KIND_NAMES:
    case KIND_ADDRESSES:
    case KIND_CIDRS:
    case KIND_PORTS:
    case KIND_STATUSES: print_list(d, field, out); break;
    }
}
