#include "proxy/order_ids.h"

#include <jansson.h>
#include <stdio.h>

#include "base/percent.h"
#include "base/quoting.h"

struct id {
    const char *name; /* one of those looked for */
    char value[ORDER_ID_MOST];
    size_t len;
};

struct search {
    const struct config_names *names;
    struct id found[ORDER_IDS_MAX];
    size_t count;
};

/* Looking into a body costs far more than this, and most requests without an id end here. */
static bool may_occur(const struct config_names *names, struct span in)
{
    for (size_t i = 0; i < names->count; i++)
        if (in.len && memmem(in.at, in.len, names->at[i], strlen(names->at[i])))
            return true;
    return false;
}

static const char *name_in(const struct search *s, struct span name)
{
    for (size_t i = 0; i < s->names->count; i++)
        if (span_is(span_of(s->names->at[i]), name))
            return s->names->at[i];
    return NULL;
}

/* What is not ASCII becomes "?", since it may not be UTF-8 either. */
static void note(struct search *s, const char *name, struct span value)
{
    if (value.len == 0 || s->count == ORDER_IDS_MAX)
        return;
    struct id *id = &s->found[s->count++];
    id->name = name;
    id->len = value.len < ORDER_ID_MOST ? value.len : ORDER_ID_MOST;
    for (size_t i = 0; i < id->len; i++)
        id->value[i] = value.at[i] > ' ' && value.at[i] < 0x7f ? value.at[i] : '?';
}

/* ---------------------------------------------------------------------------- in JSON */

static void note_json(struct search *s, const char *name, const json_t *value)
{
    char number[40];
    if (json_is_string(value)) {
        note(s, name, (struct span){json_string_value(value), json_string_length(value)});
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        note(s, name, span_of(number));
    }
}

/* No deeper than jansson's parser goes (2048). */
static void walk(struct search *s, json_t *in)
{
    const char *key;
    json_t *value;
    size_t i;
    json_array_foreach (in, i, value)
        walk(s, value);
    json_object_foreach (in, key, value) {
        const char *name = name_in(s, span_of(key));
        if (name)
            note_json(s, name, value);
        walk(s, value);
    }
}

static bool is_json(struct span s)
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\n' || s.at[0] == '\r' || s.at[0] == '\t'))
        s = span_from(s, 1);
    return s.len && (s.at[0] == '{' || s.at[0] == '[');
}

static void search_json(struct search *s, struct span in)
{
    json_t *all = json_loadb(in.at, in.len, JSON_ALLOW_NUL, NULL);
    walk(s, all);
    json_decref(all);
}

/* --------------------------------------------------------------------------- in a form */

/* `s` itself where nothing is encoded; otherwise what `to` is filled with. */
static struct span decoded(struct text *to, struct span s)
{
    if (span_find(s, '%') == s.len && span_find(s, '+') == s.len)
        return s;
    char *at = text_reserve(to, s.len);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        int byte = s.at[i] == '%' ? percent_byte(s, i + 1) : -1;
        at[len++] = byte >= 0 ? (char)byte : s.at[i] == '+' ? ' ' : s.at[i];
        i += byte >= 0 ? 2 : 0;
    }
    return (struct span){at, len};
}

/* "name", or the name in "orders[0][name]". */
static struct span last_name(struct span name)
{
    if (name.len < 3 || name.at[name.len - 1] != ']')
        return name;
    size_t from = name.len - 1;
    while (from && name.at[from - 1] != '[')
        from--;
    return (struct span){name.at + from, name.len - 1 - from};
}

static void search_form(struct search *s, struct span form)
{
    struct text names = {0}, values = {0};
    while (form.len && s->count < ORDER_IDS_MAX) {
        struct span pair = span_first(form, span_find(form, '&'));
        size_t equals = span_find(pair, '=');
        const char *name = name_in(s, last_name(decoded(&names, span_first(pair, equals))));
        struct span value = span_from(pair, equals + 1);
        if (name)
            note(s, name, decoded(&values, value));
        else if (value.len && memchr("[{% ", value.at[0], 4) && is_json(decoded(&values, value)))
            search_json(s, decoded(&values, value));
        form = span_from(form, pair.len + 1);
    }
    text_free(&names);
    text_free(&values);
}

/* ------------------------------------------------------------------------------ as JSON */

/* Has an id of this name come before? */
static bool is_told(const struct search *s, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (s->found[i].name == s->found[at].name)
            return true;
    return false;
}

static void add_values(struct text *to, const struct search *s, const char *name)
{
    size_t count = 0, told = 0;
    for (size_t i = 0; i < s->count; i++)
        count += s->found[i].name == name;
    if (count > 1)
        text_add(to, SPAN("["));
    for (size_t i = 0; i < s->count; i++) {
        if (s->found[i].name != name)
            continue;
        if (told++)
            text_add(to, SPAN(","));
        quote_add(to, (struct span){s->found[i].value, s->found[i].len}, true);
    }
    if (count > 1)
        text_add(to, SPAN("]"));
}

static void add_found(struct text *to, const struct search *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (is_told(s, i))
            continue;
        text_add(to, i ? SPAN(",") : SPAN("{"));
        quote_add(to, span_of(s->found[i].name), true);
        text_add(to, SPAN(":"));
        add_values(to, s, s->found[i].name);
    }
    if (s->count)
        text_add(to, SPAN("}"));
}

void order_ids_add(struct text *to, const struct config_names *names, struct span target,
                   struct span body)
{
    struct search s;
    struct span query = span_from(target, span_find(target, '?') + 1);
    s.names = names;
    s.count = 0;
    if (may_occur(names, query))
        search_form(&s, query);
    if (may_occur(names, body) && is_json(body))
        search_json(&s, body);
    else if (may_occur(names, body))
        search_form(&s, body);
    add_found(to, &s);
}
