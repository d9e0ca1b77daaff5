#include "config/value.h"

#include <confuse.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/endpoint.h"
#include "config/exits.h"
#include "config/quantity.h"
#include "config/store_url.h"

static bool deny(char *why, const char *what)
{
    snprintf(why, VALUE_WHY_SIZE, "%s", what);
    return false;
}

static bool read_choice(const struct directive *d, const char *text, int *value, char *why)
{
    size_t len = (size_t)snprintf(why, VALUE_WHY_SIZE, "must be one of");
    for (const struct directive_choice *c = d->choices; c->word; c++) {
        if (strcmp(c->word, text) == 0) {
            *value = c->value;
            return true;
        }
        len += (size_t)snprintf(why + len, VALUE_WHY_SIZE - len, " %s", c->word);
    }
    return false;
}

static bool read_bool(const char *text, bool *value, char *why)
{
    int answer = cfg_parse_boolean(text);
    *value = answer == 1;
    return answer >= 0 || deny(why, "must be yes or no");
}

static bool read_form(struct arena *a, const struct directive *d, const char *text,
                      const char **value, char *why)
{
    const char *closer = NULL;
    if (d->form(a, text, value, &closer))
        return true;
    *value = NULL;
    if (closer)
        return deny(why, closer);
    snprintf(why, VALUE_WHY_SIZE, "must be %s", d->words);
    return false;
}

/* A string that has no default and is not required can be set to nothing. */
static bool read_text(struct arena *a, const struct directive *d, const char *text,
                      const char **value, char *why)
{
    *value = NULL;
    if (*text == '\0' && d->builtin == NULL && !d->is_required)
        return true;
    if (d->form)
        return read_form(a, d, text, value, why);
    *value = arena_span(a, span_of(text)).at;
    return true;
}

static bool add_name(struct arena *a, const struct directive *d, const char *text,
                     struct config_names *to, char *why)
{
    const char *name;
    if (!read_form(a, d, text, &name, why))
        return false;
    to->at = arena_grow(a, to->at, to->count * sizeof *to->at, (to->count + 1) * sizeof *to->at);
    to->at[to->count++] = name;
    to->lengths[*name & 31] |= UINT32_C(1) << (strlen(name) & 31);
    to->are_known = true;
    return true;
}

static bool read_address(struct arena *a, const char *text, struct config_address *to, char *why)
{
    const char *reason;
    *to = (struct config_address){0};
    return *text == '\0' || endpoint_read(a, text, to, &reason) || deny(why, reason);
}

static bool add_address(struct arena *a, const char *text, struct config_addresses *to, char *why)
{
    struct config_address one;
    const char *reason;
    if (!endpoint_read(a, text, &one, &reason))
        return deny(why, reason);
    to->at = arena_grow(a, to->at, to->count * sizeof one, (to->count + 1) * sizeof one);
    to->at[to->count++] = one;
    return true;
}

/* Ways out that differ in what is not shown get a number. */
static const char *name_of(struct arena *a, const struct config_exits *others, const char *name)
{
    unsigned same = 1;
    for (size_t i = 0; i < others->count; i++) {
        const char *other = others->at[i].name;
        size_t len = strlen(name);
        same += strncmp(other, name, len) == 0 && (other[len] == '\0' || other[len] == '#');
    }
    return same > 1 ? arena_printf(a, "%s#%u", name, same) : name;
}

static bool add_exit(struct arena *a, const char *text, struct config_exits *to, char *why)
{
    struct config_exit one;
    const char *reason;
    if (!exits_read(a, text, &one, &reason))
        return deny(why, reason);
    one.name = name_of(a, to, one.name);
    to->at = arena_grow(a, to->at, to->count * sizeof one, (to->count + 1) * sizeof one);
    to->at[to->count++] = one;
    return true;
}

static bool add_cidr(struct arena *a, const char *text, struct config_cidrs *to, char *why)
{
    struct config_cidr one;
    const char *reason;
    if (!cidr_read(text, &one, &reason))
        return deny(why, reason);
    to->at = arena_grow(a, to->at, to->count * sizeof one, (to->count + 1) * sizeof one);
    to->at[to->count++] = one;
    return true;
}

static bool add_number(struct arena *a, const struct directive *d, const char *text,
                       struct config_numbers *to, char *why)
{
    uint64_t number;
    if (!quantity_read(d, text, &number, why, VALUE_WHY_SIZE))
        return false;
    CHECK(number <= UINT16_MAX);
    to->at = arena_grow(a, to->at, to->count * sizeof *to->at, (to->count + 1) * sizeof *to->at);
    to->at[to->count++] = (uint16_t)number;
    return true;
}

static bool read_count(const struct directive *d, const char *text, config_COUNT *value, char *why)
{
    uint64_t number;
    bool good = quantity_read(d, text, &number, why, VALUE_WHY_SIZE);
    CHECK(!good || number <= UINT_MAX);
    *value = good ? (config_COUNT)number : 0;
    return good;
}

static bool read_rate(const struct directive *d, const char *text, struct config_rate *to,
                      char *why)
{
    bool none = *text == '\0' || (d->builtin && strcmp(text, d->builtin) == 0);
    *to = (struct config_rate){0};
    return none || quantity_read_rate(d, text, to, why, VALUE_WHY_SIZE);
}

static bool read_store(struct arena *a, const char *text, struct config_store *to, char *why)
{
    const char *reason;
    *to = (struct config_store){0};
    return *text == '\0' || store_url_read(a, text, to, &reason) || deny(why, reason);
}

bool value_read(struct arena *a, const struct directive *d, const char *text, void *field,
                char why[VALUE_WHY_SIZE])
{
    switch (d->type) {
    case TYPE_DURATION:
    case TYPE_MICROS:
    case TYPE_SIZE: return quantity_read(d, text, field, why, VALUE_WHY_SIZE);
    case TYPE_COUNT:
    case TYPE_PERCENT: return read_count(d, text, field, why);
    case TYPE_BOOL: return read_bool(text, field, why);
    case TYPE_CHOICE: return read_choice(d, text, field, why);
    case TYPE_TEXT:
    case TYPE_FILE: return read_text(a, d, text, field, why);
    case TYPE_RATE: return read_rate(d, text, field, why);
    case TYPE_ADDRESS: return read_address(a, text, field, why);
    case TYPE_ADDRESSES: return add_address(a, text, field, why);
    case TYPE_EXITS: return add_exit(a, text, field, why);
    case TYPE_CIDRS: return add_cidr(a, text, field, why);
    case TYPE_NUMBERS: return add_number(a, d, text, field, why);
    case TYPE_NAMES: return add_name(a, d, text, field, why);
    case TYPE_STORE: return read_store(a, text, field, why);
    }
    return false;
}

bool value_usable(const struct directive *d, const char *text, char why[VALUE_WHY_SIZE])
{
    struct stat st;
    if (d->type != TYPE_FILE || *text == '\0')
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

static void print_exits(const struct config_exits *exits, struct text *out)
{
    for (size_t i = 0; i < exits->count; i++) {
        text_add_str(out, i ? ", " : "");
        value_print_quoted(exits->at[i].text, out);
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

static void print_numbers(const struct config_numbers *numbers, struct text *out)
{
    for (size_t i = 0; i < numbers->count; i++)
        text_printf(out, i ? ", %u" : "%u", (unsigned)numbers->at[i]);
}

/* A rate that has a default is none by default: "0". */
static void print_rate(const struct directive *d, const struct config_rate *rate, struct text *out)
{
    text_add_str(out, "\"");
    if (rate->count) {
        text_add_number(out, rate->count);
        text_add_str(out, "/");
        quantity_print(TYPE_DURATION, rate->per_ms, out);
    } else if (d->builtin) {
        text_add_str(out, d->builtin);
    }
    text_add_str(out, "\"");
}

static const char *choice_word(const struct directive *d, int value)
{
    const struct directive_choice *c = d->choices;
    while (c->word && c->value != value)
        c++;
    CHECK(c->word != NULL);
    return c->word;
}

static void print_inside(const struct directive *d, const void *field, struct text *out)
{
    switch (d->type) {
    case TYPE_DURATION:
    case TYPE_MICROS:
    case TYPE_SIZE: quantity_print(d->type, *(const uint64_t *)field, out); break;
    case TYPE_COUNT:
    case TYPE_PERCENT: quantity_print(d->type, *(const config_COUNT *)field, out); break;
    case TYPE_BOOL: text_add_str(out, *(const config_BOOL *)field ? "yes" : "no"); break;
    case TYPE_CHOICE: text_add_str(out, choice_word(d, *(const config_CHOICE *)field)); break;
    case TYPE_TEXT:
    case TYPE_FILE: value_print_quoted(*(const config_TEXT *)field, out); break;
    case TYPE_RATE: print_rate(d, field, out); break;
    case TYPE_ADDRESS: value_print_quoted(((const config_ADDRESS *)field)->text, out); break;
    case TYPE_ADDRESSES: print_addresses(field, out); break;
    case TYPE_EXITS: print_exits(field, out); break;
    case TYPE_CIDRS: print_cidrs(field, out); break;
    case TYPE_NUMBERS: print_numbers(field, out); break;
    case TYPE_NAMES: print_names(field, out); break;
    case TYPE_STORE: value_print_quoted(((const config_STORE *)field)->text, out); break;
    }
}

void value_print(const struct directive *d, const void *field, struct text *out)
{
    text_add_str(out, d->is_list ? "{" : "");
    print_inside(d, field, out);
    text_add_str(out, d->is_list ? "}" : "");
}
