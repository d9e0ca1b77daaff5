#include "pages/recent_json.h"

#include "pages/json.h"

static void append(json_t *array, json_t *value)
{
    CHECK(json_array_append_new(array, value) == 0);
}

static double per_second(const struct recent_sum *sum)
{
    double seconds = (double)sum->covered_us / 1000000;
    return (double)sum->all.ended / (seconds > 1 ? seconds : 1);
}

json_t *last_5m_json(const struct recent_sum *sum)
{
    const struct recent_step *l = &sum->all;
    json_t *o = json_object();
#define LAST(key, value, meaning) json_place(o, key, value);
#include "pages/stats_page.def"
    return o;
}

static json_t *duration_json(const struct recent_step *s, uint64_t us)
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
        append(p50, duration_json(&steps[i], steps[i].p50_us));
        append(p99, duration_json(&steps[i], steps[i].p99_us));
    }
    json_t *o = json_object();
#define RECENT(key, value, meaning) json_place(o, key, value);
#include "pages/stats_page.def"
    return o;
}

static json_t *error_json(const struct recent_error *e)
{
    json_t *o = json_object();
#define ERROR(key, value, meaning) json_place(o, key, value);
#include "pages/stats_page.def"
    return o;
}

json_t *recent_errors_json(const struct recent_errors *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->count; i++)
        append(list, error_json(&t->at[i]));
    return list;
}
