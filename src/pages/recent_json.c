#include "pages/recent_json.h"

#include <string.h>

static void set(json_t *object, const char *key, json_t *value)
{
    CHECK(json_object_set_new(object, key, value) == 0);
}

static void append(json_t *array, json_t *value)
{
    CHECK(json_array_append_new(array, value) == 0);
}

static json_t *ms_json(const struct recent_step *s, uint64_t us)
{
    return s->answered ? json_real((double)us / 1000) : json_null();
}

json_t *recent_json(const struct recent *r, uint64_t now_us)
{
    struct recent_step steps[RECENT_STEPS];
    json_t *ended = json_array(), *failed = json_array(), *p50 = json_array(), *p99 = json_array();
    recent_read(r, now_us, steps);
    for (size_t i = 0; i < RECENT_STEPS; i++) {
        append(ended, json_integer((json_int_t)steps[i].ended));
        append(failed, json_integer((json_int_t)steps[i].failed));
        append(p50, ms_json(&steps[i], steps[i].p50_us));
        append(p99, ms_json(&steps[i], steps[i].p99_us));
    }
    return json_pack("{s:I,s:o,s:o,s:o,s:o}", "step_s", (json_int_t)(RECENT_STEP_US / 1000000),
                     "ended", ended, "failed", failed, "p50_ms", p50, "p99_ms", p99);
}

/* Words may quote what a peer sent; JSON is UTF-8. */
static json_t *words_json(const char *words)
{
    char copy[sizeof((struct recent_error *)NULL)->words];
    json_t *s = json_string(words);
    if (s)
        return s;
    size_t len = strnlen(words, sizeof copy - 1);
    for (size_t i = 0; i < len; i++)
        copy[i] = (unsigned char)words[i] < 0x80 ? words[i] : '?';
    return json_stringn(copy, len);
}

static json_t *trouble_json(const struct recent_error *t)
{
    json_t *o = json_object();
    set(o, "at", json_integer((json_int_t)t->last));
    set(o, "upstream", *t->upstream ? words_json(t->upstream) : json_null());
    set(o, "error", t->error == FAILURE_NONE ? json_null() : json_string(failure_name(t->error)));
    set(o, "status", t->status ? json_integer(t->status) : json_null());
    set(o, "sent", json_string(sent_name(t->sent)));
    set(o, "detail", words_json(t->words));
    set(o, "count", json_integer((json_int_t)t->count));
    return o;
}

json_t *recent_errors_json(const struct recent_errors *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->count; i++)
        append(list, trouble_json(&t->at[i]));
    return list;
}
