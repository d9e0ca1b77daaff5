#include "proxy/order_ids.h"

#include <jansson.h>
#include <stdio.h>

#include "base/percent.h"

struct search {
    const struct config_names *names;
    json_t *found; /* NULL: nothing yet */
    unsigned count;
};

/* Parsing costs far more than this, and most requests without an id end here. */
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
static json_t *text_value(struct span value)
{
    char shown[ORDER_ID_MOST + 1];
    size_t len = value.len < ORDER_ID_MOST ? value.len : ORDER_ID_MOST;
    for (size_t i = 0; i < len; i++) {
        char c = value.at[i];
        shown[i] = c > ' ' && c < 0x7f ? c : '?';
    }
    shown[len] = '\0';
    return json_string(shown);
}

static void note(struct search *s, const char *name, struct span value)
{
    json_t *before = json_object_get(s->found, name);
    if (value.len == 0 || s->count++ >= ORDER_IDS_MAX)
        return;
    if (s->found == NULL)
        s->found = json_object();
    if (before == NULL) {
        json_object_set_new(s->found, name, text_value(value));
        return;
    }
    if (!json_is_array(before)) {
        json_t *several = json_array();
        json_array_append(several, before);
        json_object_set_new(s->found, name, several);
        before = several;
    }
    json_array_append_new(before, text_value(value));
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

static void decode(struct text *to, struct span s)
{
    text_clear(to);
    for (size_t i = 0; i < s.len; i++) {
        int byte = s.at[i] == '%' ? percent_byte(s, i + 1) : -1;
        char c = byte >= 0 ? (char)byte : s.at[i] == '+' ? ' ' : s.at[i];
        i += byte >= 0 ? 2 : 0;
        text_add(to, (struct span){&c, 1});
    }
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
    struct text name = {0}, value = {0};
    while (form.len && s->count < ORDER_IDS_MAX) {
        struct span pair = span_first(form, span_find(form, '&'));
        size_t equals = span_find(pair, '=');
        decode(&name, span_first(pair, equals));
        decode(&value, span_from(pair, equals + 1));
        const char *known = name_in(s, last_name(text_span(&name)));
        if (known)
            note(s, known, text_span(&value));
        else if (is_json(text_span(&value)))
            search_json(s, text_span(&value));
        form = span_from(form, pair.len + 1);
    }
    text_free(&name);
    text_free(&value);
}

void order_ids_add(struct text *to, const struct config_names *names, struct span target,
                   struct span body)
{
    struct search s = {.names = names};
    struct span query = span_from(target, span_find(target, '?') + 1);
    if (may_occur(names, query))
        search_form(&s, query);
    if (may_occur(names, body) && is_json(body))
        search_json(&s, body);
    else if (may_occur(names, body))
        search_form(&s, body);
    if (s.found == NULL)
        return;
    char *dump = json_dumps(s.found, JSON_COMPACT | JSON_ENSURE_ASCII);
    text_add_str(to, dump);
    free(dump);
    json_decref(s.found);
}
