#include "pages/json.h"

#include <string.h>

#include "base/alloc.h"
#include "base/span.h"

#define OUTER_MAX 32

static json_t *outer_of(json_t *object, const char *place, size_t len)
{
    char key[OUTER_MAX];
    CHECK(len < sizeof key);
    memcpy(key, place, len);
    key[len] = '\0';
    json_t *outer = json_object_get(object, key);
    if (outer == NULL) {
        outer = json_object();
        CHECK(json_object_set_new(object, key, outer) == 0);
    }
    return outer;
}

void json_place(json_t *object, const char *place, json_t *value)
{
    struct span whole = span_of(place);
    size_t dot = span_find(whole, '.');
    if (dot < whole.len) {
        object = outer_of(object, place, dot);
        place += dot + 1;
    }
    CHECK(json_object_set_new(object, place, value) == 0);
}

json_t *json_count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

json_t *json_ms(uint64_t us)
{
    return json_real((double)us / 1000);
}

json_t *json_rate(uint64_t part, uint64_t rest)
{
    return part + rest ? json_real((double)part / (double)(part + rest)) : json_null();
}

/* What a peer sent is bytes; JSON is UTF-8. */
json_t *json_text(const char *text)
{
    json_t *s = json_string(text);
    if (s)
        return s;
    char *copy = must_strdup(text);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    s = json_string(copy);
    free(copy);
    return s;
}

json_t *json_optional(const char *text)
{
    return text && *text ? json_text(text) : json_null();
}
