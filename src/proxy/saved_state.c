#include "proxy/saved_state.h"

#include <jansson.h>
#include <stdio.h>

#include "budget/credential.h"

#define FORMAT 1          /* of the file; a later one is not read */
#define AGAIN_MS 60000    /* a hold that ended is remembered so long (holds.h) */
#define LIFTED_MS 3600000 /* no hold is older than this */
#define NAME_SIZE 300     /* of an upstream, an origin, a bot, a caller */
#define STATUS_LEAST 100
#define STATUS_MOST 999

/* ----------------------------------------------------------------- the value */

void saved_budget_clear(struct saved_budget *b)
{
    free(b->holds);
    *b = (struct saved_budget){
        .key = b->key, .lifted_ms = b->lifted_ms, .weight = -1, .weight_most = -1};
}

static void free_budget(struct saved_budget *b)
{
    free(b->holds);
    free(b->key);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static char *copy_text(const char *text)
{
    return text ? must_strdup(text) : NULL;
}

const struct freeze *saved_state_freeze(const struct saved_state *s, const char *upstream,
                                        const char *bot)
{
    for (size_t i = 0; i < s->freeze_count; i++)
        if (same_text(s->freezes[i].upstream, upstream) && same_text(s->freezes[i].bot, bot))
            return &s->freezes[i];
    return NULL;
}

void saved_state_add_freeze(struct saved_state *s, const struct freeze *f)
{
    s->freezes = must_realloc(s->freezes, (s->freeze_count + 1) * sizeof *s->freezes);
    s->freezes[s->freeze_count++] = (struct freeze){.upstream = copy_text(f->upstream),
                                                    .bot = copy_text(f->bot),
                                                    .by = must_strdup(f->by),
                                                    .since_ms = f->since_ms,
                                                    .lifted = f->lifted};
}

void saved_state_clear_freezes(struct saved_state *s)
{
    for (size_t i = 0; i < s->freeze_count; i++) {
        free((char *)s->freezes[i].upstream);
        free((char *)s->freezes[i].bot);
        free((char *)s->freezes[i].by);
    }
    free(s->freezes);
    s->freezes = NULL;
    s->freeze_count = 0;
}

void saved_state_free(struct saved_state *s)
{
    saved_state_clear_freezes(s);
    for (size_t i = 0; i < s->budget_count; i++)
        free_budget(&s->budgets[i]);
    free(s->budgets);
    *s = (struct saved_state){0};
}

const struct saved_budget *saved_state_find(const struct saved_state *s, const char *key)
{
    for (size_t i = 0; i < s->budget_count; i++)
        if (strcmp(s->budgets[i].key, key) == 0)
            return &s->budgets[i];
    return NULL;
}

struct saved_budget *saved_state_budget(struct saved_state *s, const char *key)
{
    const struct saved_budget *found = saved_state_find(s, key);
    if (found)
        return &s->budgets[found - s->budgets];
    s->budgets = must_realloc(s->budgets, (s->budget_count + 1) * sizeof *s->budgets);
    struct saved_budget *b = &s->budgets[s->budget_count++];
    *b = (struct saved_budget){.key = must_strdup(key), .weight = -1, .weight_most = -1};
    return b;
}

static struct saved_hold *hold_like(const struct saved_budget *b, const struct saved_hold *h)
{
    for (size_t i = 0; i < b->hold_count; i++)
        if (b->holds[i].scope == h->scope && b->holds[i].credential == h->credential)
            return &b->holds[i];
    return NULL;
}

void saved_budget_add(struct saved_budget *b, const struct saved_hold *h)
{
    struct saved_hold *old = hold_like(b, h);
    if (old) {
        if (old->until_ms < h->until_ms)
            *old = *h;
        return;
    }
    b->holds = must_realloc(b->holds, (b->hold_count + 1) * sizeof *b->holds);
    b->holds[b->hold_count++] = *h;
}

/* ------------------------------------------------------------------- reading */

/* Reads one object; the first value that is not as it is written here ends the reading. */
struct reader {
    char *why;
    bool failed;
};

static void fail(struct reader *r, const char *what, const char *key)
{
    if (!r->failed)
        snprintf(r->why, SAVED_STATE_WHY, "%s: %s", key, what);
    r->failed = true;
}

static int64_t read_integer(struct reader *r, const json_t *o, const char *key, int64_t least,
                            int64_t most)
{
    const json_t *value = json_object_get(o, key);
    int64_t n = json_integer_value(value);
    if (!json_is_integer(value))
        fail(r, "not a whole number", key);
    else if (n < least || n > most)
        fail(r, "out of range", key);
    return r->failed ? least : n;
}

static bool read_bool(struct reader *r, const json_t *o, const char *key)
{
    const json_t *value = json_object_get(o, key);
    if (!json_is_boolean(value))
        fail(r, "neither true nor false", key);
    return json_is_true(value);
}

/* Null is an empty text. */
static void read_text(struct reader *r, const json_t *o, const char *key, char *to, size_t size)
{
    const json_t *value = json_object_get(o, key);
    if (!json_is_string(value) && !json_is_null(value))
        fail(r, "neither a text nor null", key);
    else if (json_string_length(value) >= size)
        fail(r, "too long", key);
    snprintf(to, size, "%s", !r->failed && json_is_string(value) ? json_string_value(value) : "");
}

static const json_t *read_array(struct reader *r, const json_t *o, const char *key, size_t most)
{
    const json_t *value = json_object_get(o, key);
    if (!json_is_array(value))
        fail(r, "not a list", key);
    else if (json_array_size(value) > most)
        fail(r, "too long", key);
    return r->failed ? NULL : value;
}

static enum hold_scope read_scope(struct reader *r, const json_t *o)
{
    char name[16];
    read_text(r, o, "held", name, sizeof name);
    for (int s = HOLD_PUBLIC; s <= HOLD_CREDENTIAL; s++)
        if (strcmp(hold_scope_name((enum hold_scope)s), name) == 0)
            return (enum hold_scope)s;
    fail(r, "no such word", "held");
    return HOLD_ALL;
}

static void read_hold(struct reader *r, const json_t *o, struct saved_budget *b)
{
    struct saved_hold h = {.scope = read_scope(r, o)};
    char credential[CREDENTIAL_NAME_SIZE];
    read_text(r, o, "credential", credential, sizeof credential);
    if (h.scope == HOLD_CREDENTIAL) {
        h.credential = credential_parse(span_of(credential));
        if (h.credential == 0)
            fail(r, "not a credential's hash", "credential");
    }
    h.status = (unsigned)read_integer(r, o, "status", STATUS_LEAST, STATUS_MOST);
    read_text(r, o, "bot", h.bot, sizeof h.bot);
    read_text(r, o, "path", h.path, sizeof h.path);
    h.until_ms = read_integer(r, o, "until_ms", 0, INT64_MAX);
    h.lasts_ms = (uint64_t)read_integer(r, o, "lasts_ms", 0, HOLD_MOST_MS);
    h.step_ms = (uint64_t)read_integer(r, o, "step_ms", 0, HOLD_MOST_MS);
    if (!r->failed)
        saved_budget_add(b, &h);
}

static void read_weight(struct reader *r, const json_t *o, struct saved_budget *b)
{
    if (!json_is_object(o) && !json_is_null(o))
        fail(r, "neither an object nor null", "weight");
    if (!json_is_object(o) || r->failed)
        return;
    b->weight = read_integer(r, o, "used", 0, INT64_MAX);
    b->weight_most = read_integer(r, o, "most", 0, INT64_MAX);
    b->weight_until_ms = read_integer(r, o, "until_ms", 0, INT64_MAX);
    b->weight_lifted = read_bool(r, o, "lifted");
}

static void read_budget(struct reader *r, const json_t *o, struct saved_state *s)
{
    char key[NAME_SIZE];
    size_t i;
    const json_t *hold;
    read_text(r, o, "name", key, sizeof key);
    if (*key == '\0')
        fail(r, "none", "name");
    const json_t *holds = read_array(r, o, "holds", HOLDS_CREDENTIALS + 2);
    if (r->failed)
        return;
    struct saved_budget *b = saved_state_budget(s, key);
    b->lifted_ms = read_integer(r, o, "lifted_ms", 0, INT64_MAX);
    json_array_foreach (holds, i, hold)
        read_hold(r, hold, b);
    read_weight(r, json_object_get(o, "weight"), b);
}

static void read_freeze(struct reader *r, const json_t *o, struct saved_state *s)
{
    char upstream[NAME_SIZE], bot[NAME_SIZE], by[NAME_SIZE];
    struct freeze f = {.by = by};
    read_text(r, o, "upstream", upstream, sizeof upstream);
    read_text(r, o, "bot", bot, sizeof bot);
    read_text(r, o, "by", by, sizeof by);
    f.upstream = *upstream ? upstream : NULL;
    f.bot = *bot ? bot : NULL;
    f.since_ms = read_integer(r, o, "since_ms", 0, INT64_MAX);
    f.lifted = read_bool(r, o, "lifted");
    if (!r->failed && !saved_state_freeze(s, f.upstream, f.bot))
        saved_state_add_freeze(s, &f);
}

static void read_state(struct reader *r, const json_t *o, struct saved_state *s)
{
    size_t i;
    const json_t *budget, *freeze;
    const json_t *format = json_object_get(o, "trunkline_state");
    if (!json_is_integer(format)) {
        snprintf(r->why, SAVED_STATE_WHY, "not a state file of trunkline");
        r->failed = true;
    } else if (json_integer_value(format) != FORMAT) {
        snprintf(r->why, SAVED_STATE_WHY, "written by another version of trunkline (format %lld)",
                 (long long)json_integer_value(format));
        r->failed = true;
    }
    const json_t *budgets = read_array(r, o, "upstreams", SAVED_UPSTREAMS_MOST);
    const json_t *freezes = read_array(r, o, "freezes", FREEZES_MAX);
    json_array_foreach (freezes, i, freeze)
        read_freeze(r, freeze, s);
    s->freezes_changed_ms = read_integer(r, o, "freezes_changed_ms", 0, INT64_MAX);
    json_array_foreach (budgets, i, budget)
        read_budget(r, budget, s);
}

bool saved_state_parse(struct saved_state *s, struct span text, char why[SAVED_STATE_WHY])
{
    json_error_t error;
    struct reader r = {.why = why};
    *s = (struct saved_state){0};
    json_t *o = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, &error);
    if (o == NULL)
        snprintf(why, SAVED_STATE_WHY, "line %d: %.100s", error.line, error.text);
    else
        read_state(&r, o, s);
    bool good = o && !r.failed;
    json_decref(o);
    if (!good)
        saved_state_free(s);
    return good;
}

/* ------------------------------------------------------------------- writing */

static void put(json_t *o, const char *key, json_t *value)
{
    CHECK(json_object_set_new(o, key, value) == 0);
}

/* What a peer sent may be no UTF-8: such a text is left out. */
static json_t *optional(const char *text)
{
    json_t *value = *text ? json_string(text) : NULL;
    return value ? value : json_null();
}

static json_t *credential_json(uint64_t credential)
{
    char name[CREDENTIAL_NAME_SIZE];
    if (credential == 0)
        return json_null();
    credential_print(credential, name);
    return json_string(name);
}

static json_t *hold_json(const struct saved_hold *h)
{
    json_t *o = json_object();
    put(o, "held", json_string(hold_scope_name(h->scope)));
    put(o, "credential", credential_json(h->credential));
    put(o, "status", json_integer(h->status));
    put(o, "bot", optional(h->bot));
    put(o, "path", optional(h->path));
    put(o, "until_ms", json_integer(h->until_ms));
    put(o, "lasts_ms", json_integer((json_int_t)h->lasts_ms));
    put(o, "step_ms", json_integer((json_int_t)h->step_ms));
    return o;
}

static json_t *weight_json(const struct saved_budget *b)
{
    if (b->weight < 0)
        return json_null();
    json_t *o = json_object();
    put(o, "used", json_integer(b->weight));
    put(o, "most", json_integer(b->weight_most));
    put(o, "until_ms", json_integer(b->weight_until_ms));
    put(o, "lifted", json_boolean(b->weight_lifted));
    return o;
}

static json_t *budget_json(const struct saved_budget *b)
{
    json_t *o = json_object(), *holds = json_array();
    for (size_t i = 0; i < b->hold_count; i++)
        CHECK(json_array_append_new(holds, hold_json(&b->holds[i])) == 0);
    put(o, "name", json_string(b->key));
    put(o, "lifted_ms", json_integer(b->lifted_ms));
    put(o, "weight", weight_json(b));
    put(o, "holds", holds);
    return o;
}

static json_t *freeze_json(const struct freeze *f)
{
    json_t *o = json_object();
    put(o, "upstream", optional(f->upstream ? f->upstream : ""));
    put(o, "bot", optional(f->bot ? f->bot : ""));
    put(o, "by", optional(f->by));
    put(o, "since_ms", json_integer(f->since_ms));
    put(o, "lifted", json_boolean(f->lifted));
    return o;
}

static int append(const char *data, size_t len, void *to)
{
    text_add(to, (struct span){data, len});
    return 0;
}

void saved_state_print(const struct saved_state *s, struct text *to)
{
    json_t *o = json_object(), *budgets = json_array(), *freezes = json_array();
    for (size_t i = 0; i < s->budget_count; i++)
        CHECK(json_array_append_new(budgets, budget_json(&s->budgets[i])) == 0);
    for (size_t i = 0; i < s->freeze_count; i++)
        CHECK(json_array_append_new(freezes, freeze_json(&s->freezes[i])) == 0);
    put(o, "trunkline_state", json_integer(FORMAT));
    put(o, "freezes_changed_ms", json_integer(s->freezes_changed_ms));
    put(o, "freezes", freezes);
    put(o, "upstreams", budgets);
    CHECK(json_dump_callback(o, append, to, JSON_INDENT(1)) == 0);
    text_add(to, SPAN("\n"));
    json_decref(o);
}

/* ------------------------------------------------------------------- merging */

static int64_t began_ms(const struct saved_hold *h)
{
    return h->until_ms - (int64_t)h->lasts_ms;
}

static void drop_hold(struct saved_budget *b, size_t at)
{
    b->holds[at] = b->holds[--b->hold_count];
}

static void merge_budget(struct saved_budget *to, const struct saved_budget *from)
{
    if (to->lifted_ms < from->lifted_ms)
        to->lifted_ms = from->lifted_ms;
    for (size_t i = 0; i < from->hold_count; i++)
        saved_budget_add(to, &from->holds[i]);
    for (size_t i = to->hold_count; i-- > 0;)
        if (began_ms(&to->holds[i]) < to->lifted_ms)
            drop_hold(to, i);
    if (from->weight < 0 || from->weight_until_ms <= to->weight_until_ms)
        return;
    to->weight = from->weight;
    to->weight_most = from->weight_most;
    to->weight_until_ms = from->weight_until_ms;
    to->weight_lifted = from->weight_lifted;
}

void saved_state_merge(struct saved_state *to, const struct saved_state *from)
{
    for (size_t i = 0; i < from->budget_count; i++)
        merge_budget(saved_state_budget(to, from->budgets[i].key), &from->budgets[i]);
    if (from->freezes_changed_ms <= to->freezes_changed_ms)
        return;
    saved_state_clear_freezes(to);
    for (size_t i = 0; i < from->freeze_count; i++)
        saved_state_add_freeze(to, &from->freezes[i]);
    to->freezes_changed_ms = from->freezes_changed_ms;
}

static bool is_empty(const struct saved_budget *b)
{
    return b->hold_count == 0 && b->weight < 0 && b->lifted_ms == 0;
}

static void tidy_budget(struct saved_budget *b, int64_t now_ms)
{
    for (size_t i = b->hold_count; i-- > 0;)
        if (b->holds[i].until_ms <= now_ms - (b->holds[i].step_ms ? AGAIN_MS : 0))
            drop_hold(b, i);
    if (b->weight_until_ms <= now_ms)
        b->weight = b->weight_most = -1;
    if (b->lifted_ms <= now_ms - LIFTED_MS)
        b->lifted_ms = 0;
}

void saved_state_tidy(struct saved_state *s, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->budget_count; i++) {
        tidy_budget(&s->budgets[i], now_ms);
        if (is_empty(&s->budgets[i]) || kept == SAVED_UPSTREAMS_MOST)
            free_budget(&s->budgets[i]);
        else
            s->budgets[kept++] = s->budgets[i];
    }
    s->budget_count = kept;
}
