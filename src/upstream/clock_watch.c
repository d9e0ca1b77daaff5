#include "upstream/clock_watch.h"

#include "base/log.h"
#include "http/http_date.h"

#define LOOKED_MOST 32  /* responses in a second: more tell nothing new */
#define SAMPLES_LEAST 3 /* so that one odd response does not warn */

static int64_t wall_us(const struct loop *loop)
{
    struct timespec t = loop_wall(loop);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct origin_clock_view clock_watch_view(const struct clock_watch *w, const struct loop *loop)
{
    return origin_clock_view(&w->clock, loop_clock_us(loop), wall_us(loop));
}

static void warn(struct clock_watch *w, const struct loop *loop, const char *object)
{
    struct origin_clock_view v = clock_watch_view(w, loop);
    double off = (double)v.offset_us / 1e6, error = (double)v.error_us / 1e6;
    double distance = off < 0 ? -off : off;
    if (v.samples < SAMPLES_LEAST)
        return;
    if (!w->is_off && origin_clock_surely_off(&v) > CLOCK_WATCH_OFF_US) {
        w->is_off = true;
        LOG(WARN, object,
            "our clock is %.2f s %s the exchange's, give or take %.2f s: signed requests may be "
            "refused for their timestamp (-1021): synchronize it (NTP)",
            distance, off < 0 ? "behind" : "ahead of", error);
    } else if (w->is_off && distance + error < (double)CLOCK_WATCH_OFF_US / 1e6) {
        w->is_off = false;
        LOG(INFO, object, "our clock agrees with the exchange's again, within %.2f s",
            distance + error);
    }
}

/* Reading it costs more than all the rest. */
static bool read_date(struct clock_watch *w, const struct loop *loop, struct span value)
{
    if (w->len && span_is(value, (struct span){w->text, w->len}))
        return true;
    w->len = 0;
    if (!http_date_read(value, loop_wall_s(loop), &w->date_s))
        return false;
    if (value.len <= sizeof w->text) {
        memcpy(w->text, value.at, value.len);
        w->len = value.len;
    }
    return true;
}

void clock_watch_learn(struct clock_watch *w, struct loop *loop, const struct fields *fields,
                       uint64_t sent_us, const char *object)
{
    uint64_t now_us = loop_event_us(loop), second = now_us / 1000000;
    bool is_new = second != w->second;
    if (is_new)
        w->looked = 0;
    if (w->looked >= LOOKED_MOST)
        return;
    const struct field *date = origin_clock_field(fields);
    if (date == NULL || !read_date(w, loop, date->value))
        return;
    w->second = second;
    w->looked++;
    origin_clock_add(&w->clock, w->date_s, sent_us, now_us);
    if (is_new)
        warn(w, loop, object);
}
