#include "upstream/lines_view.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* -------------------------------------------------------------------- figures */

int64_t lines_learned_ms(const struct lines *s)
{
    return s->settings->idle_learn ? idle_learn_ms(&s->learn, loop_now(s->env.loop)) : -1;
}

uint64_t lines_rest_ms(const struct lines *s)
{
    int64_t learned = lines_learned_ms(s);
    uint64_t limit = s->settings->idle_timeout ? s->settings->idle_timeout : UINT64_MAX;
    return learned >= 0 ? least((uint64_t)learned * 9 / 10, limit) : limit;
}

void lines_each(const struct lines *l, line_visit *visit, void *context)
{
    const struct list *const lists[] = {&l->connecting, &l->idle, &l->shared, &l->busy};
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (struct link *k = list_first(lists[i]); k; k = list_next(k)) {
            struct line_view view;
            line_view(line_of(k), &view);
            visit(context, &view);
        }
}

size_t lines_open(const struct lines *s)
{
    return s->connecting.count + s->idle.count + s->shared.count + s->busy.count;
}

size_t lines_unused(const struct lines *s)
{
    size_t n = s->connecting.count;
    for (struct link *k = list_first(&s->idle); k; k = list_next(k))
        n += line_uses(line_of(k)) == 0;
    return n;
}

size_t lines_doubted(const struct lines *s)
{
    const struct list *lists[] = {&s->idle, &s->shared, &s->busy};
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (struct link *k = list_first(lists[i]); k; k = list_next(k))
            n += line_is_doubted(line_of(k));
    return n;
}

struct floor_state lines_floor_state(const struct lines *s)
{
    uint64_t max_age = s->settings->max_age ? s->settings->max_age : UINT64_MAX;
    return (struct floor_state){.now_ms = loop_now(s->env.loop),
                                .connecting = s->connecting.count,
                                .lifetime_ms = least(lines_rest_ms(s), max_age)};
}

/* ------------------------------------------------------------------ one line */

enum close_reason lines_unfit(const struct lines *s, const struct line *l)
{
    struct connector *connector = s->env.connector;
    if (line_generation(l) != s->generation)
        return CLOSE_RECONNECT;
    if (line_is_old(l))
        return CLOSE_MAX_AGE;
    if (s->settings->max_requests && line_uses(l) >= s->settings->max_requests)
        return CLOSE_MAX_REQUESTS;
    if (lines_open(s) > s->settings->max_connections)
        return CLOSE_RECONNECT; /* it was lowered */
    if (connector->ops->is_gone(connector, &line_report(l)->peer))
        return CLOSE_DNS_CHANGE;
    return CLOSE_REASON_COUNT;
}

/* What the origin said on this line; before it does, what it allowed on earlier ones. */
size_t lines_most(const struct lines *s, const struct line *l)
{
    return line_allowed(l) != CONN_UNSAID ? s->settings->max_streams
                                          : origin_traits_streams(&s->traits, s->settings);
}

size_t lines_room(const struct lines *s, const struct line *l)
{
    return line_room(l, lines_most(s, l));
}

size_t lines_ready(const struct lines *s)
{
    size_t n = 0;
    for (struct link *k = list_first(&s->idle); k; k = list_next(k))
        n += lines_room(s, line_of(k)) > 0;
    return n;
}

/* ------------------------------------------------------- may one be dialled? */

/* The origin allows nothing on a line that carries nothing (SETTINGS_MAX_CONCURRENT_STREAMS
 * of 0, RFC 9113 6.5.2): nor would it on another. */
static bool is_allowed_nothing(const struct lines *s)
{
    if (s->traits.allowed != 0)
        return false;
    for (struct link *k = list_first(&s->idle); k; k = list_next(k))
        if (line_allowed(line_of(k)) == 0)
            return true;
    return false;
}

uint64_t lines_dial_at(const struct lines *s, enum dial_for whom)
{
    size_t connecting = s->connecting.count, open = lines_open(s);
    bool urgent = whom != DIAL_FOR_FLOOR && open == connecting;
    uint64_t at = latest(loop_now(s->env.loop), s->short_until);
    if (s->paused || open >= s->settings->max_connections)
        return DIAL_NOT;
    at = latest(at, breaker_when(&s->breaker, connecting, urgent));
    if (whom == DIAL_FOR_BURST && connecting)
        at = latest(at, origin_traits_holds(&s->traits));
    if (whom != DIAL_FOR_FLOOR)
        return is_allowed_nothing(s) ? DIAL_NOT : at;
    if (s->closing || open >= s->settings->min_idle)
        return DIAL_NOT;
    const struct floor_state floor = lines_floor_state(s);
    return latest(at, floor_when(&s->floor, s->settings, &floor));
}

size_t lines_coming(const struct lines *s)
{
    size_t more = breaker_is_open(&s->breaker) ? 1 : s->settings->max_connections - lines_open(s);
    bool now = lines_dial_at(s, DIAL_FOR_WAITER) <= loop_now(s->env.loop);
    return s->connecting.count + (now ? more : 0);
}
