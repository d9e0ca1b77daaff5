#include "http/origin_clock.h"

#include "http/http_date.h"

#define SECOND_US INT64_C(1000000)
#define SPAN_US UINT64_C(30000000)
#define LATE_US 10000 /* servers renew the text of Date by a timer, which may be late */
#define DRIFT_PPM 100 /* by which two good clocks may drift apart */
#define RIVALS 8

/* What both have in common; least > most: nothing. */
static struct origin_clock_bounds common(struct origin_clock_bounds a, struct origin_clock_bounds b)
{
    if (a.samples == 0 || b.samples == 0)
        return a.samples ? a : b;
    return (struct origin_clock_bounds){a.least_us > b.least_us ? a.least_us : b.least_us,
                                        a.most_us < b.most_us ? a.most_us : b.most_us,
                                        a.samples + b.samples};
}

static bool is_possible(struct origin_clock_bounds b)
{
    return b.least_us <= b.most_us;
}

/* The bounds of a span as they are now, since the clocks may have drifted. */
static struct origin_clock_bounds aged(const struct origin_clock *c, size_t at, uint64_t now_us)
{
    struct origin_clock_bounds b = c->spans[at].bounds;
    uint64_t number = now_us / SPAN_US;
    if (b.samples == 0 || number - c->spans[at].number >= ORIGIN_CLOCK_SPANS)
        return (struct origin_clock_bounds){0};
    int64_t drift = (int64_t)(now_us - c->spans[at].number * SPAN_US) * DRIFT_PPM / SECOND_US;
    b.least_us -= drift;
    b.most_us += drift;
    return b;
}

static struct origin_clock_bounds known(const struct origin_clock *c, uint64_t now_us)
{
    struct origin_clock_bounds all = {0};
    for (size_t i = 0; i < ORIGIN_CLOCK_SPANS; i++)
        all = common(all, aged(c, i, now_us));
    return all;
}

/* Once some samples have come, most others say no more than they do, and need not be compared with
 * all spans. */
static bool says_no_more(struct origin_clock_bounds b, struct origin_clock_bounds known)
{
    return known.samples && b.least_us <= known.least_us && b.most_us >= known.most_us;
}

/* Adds them to those of this half minute. False: that leaves nothing in common. */
static bool narrow(struct origin_clock *c, struct origin_clock_bounds b, uint64_t now_us)
{
    uint64_t number = now_us / SPAN_US;
    size_t at = number % ORIGIN_CLOCK_SPANS;
    struct origin_clock_bounds of_span = {0};
    if (c->spans[at].number == number)
        of_span = c->spans[at].bounds;
    if (says_no_more(b, of_span)) {
        c->spans[at].bounds.samples++;
        return true;
    }
    of_span = common(of_span, b);
    if (!is_possible(of_span) || !is_possible(common(known(c, now_us), b)))
        return false;
    c->spans[at].bounds = of_span;
    c->spans[at].number = number;
    return true;
}

static void contradict(struct origin_clock *c, struct origin_clock_bounds b, uint64_t now_us)
{
    struct origin_clock_bounds both = common(c->rival, b);
    c->rival = is_possible(both) ? both : b;
    if (c->rival.samples < RIVALS)
        return;
    struct origin_clock_bounds winner = c->rival;
    *c = (struct origin_clock){0};
    bool narrowed = narrow(c, winner, now_us);
    CHECK(narrowed);
}

const struct field *origin_clock_field(const struct fields *fields)
{
    const struct field *date = fields_find(fields, SPAN("Date"));
    return date && !fields_find(fields, SPAN("Age")) ? date : NULL;
}

bool origin_clock_date(const struct fields *fields, int64_t now_s, int64_t *date_s)
{
    const struct field *date = origin_clock_field(fields);
    return date && http_date_read(date->value, now_s, date_s);
}

void origin_clock_add(struct origin_clock *c, int64_t date_s, uint64_t sent_us, uint64_t came_us)
{
    if (date_s < 0 || date_s > INT64_MAX / SECOND_US / 2 || sent_us > came_us)
        return;
    int64_t date_us = date_s * SECOND_US;
    struct origin_clock_bounds b = {(int64_t)sent_us - date_us - SECOND_US - LATE_US,
                                    (int64_t)came_us - date_us, 1};
    if (narrow(c, b, came_us))
        c->rival.samples = 0;
    else
        contradict(c, b, came_us);
}

struct origin_clock_view origin_clock_view(const struct origin_clock *c, uint64_t now_us,
                                           int64_t wall_us)
{
    struct origin_clock_bounds b = known(c, now_us);
    int64_t wall_ahead = wall_us - (int64_t)now_us; /* of the monotonic clock */
    if (b.samples == 0)
        return (struct origin_clock_view){0};
    return (struct origin_clock_view){.offset_us =
                                          b.least_us + (b.most_us - b.least_us) / 2 + wall_ahead,
                                      .error_us = (b.most_us - b.least_us + 1) / 2,
                                      .samples = b.samples};
}

int64_t origin_clock_surely_off(const struct origin_clock_view *v)
{
    int64_t distance = v->offset_us < 0 ? -v->offset_us : v->offset_us;
    return v->samples && distance > v->error_us ? distance - v->error_us : 0;
}
