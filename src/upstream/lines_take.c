#include "upstream/lines_take.h"

#include "base/rare.h"

#define FRESH_MS 1000
#define UNREAD_MOST_MS 50

/* How old the kernel's word may be for an order, us. Even what it says now is older than this when
 * many requests are written together at the end of the turn. */
#define ASKED_WITHIN_US 100

/* A line that came up or came back so recently has just been read; what came since is read in this
 * turn, or was not there when it began. Only orders ask the kernel again. */
#define READ_WITHIN_MS 10

/* What is unread on a line would be taken for the response, or is the line's end. */
static bool is_safe(struct line *l, bool careful)
{
    return (!careful && line_idle_ms(l) < READ_WITHIN_MS) || line_is_quiet(l, ASKED_WITHIN_US);
}

/* What is unread may be frames, on a line that shares, or TLS 1.3 tickets, on a line just opened:
 * that is known in a moment, once it has been read. If it is part of a TLS record whose rest
 * does not come, no request waits for it longer than 50 ms. */
static bool may_be_fit(const struct line *l)
{
    if (line_unread_ms(l) >= UNREAD_MOST_MS)
        return false;
    return line_shares(l) || (line_uses(l) == 0 && line_idle_ms(l) < FRESH_MS);
}

static struct line *lend(struct lines *s, struct line *l, bool alone)
{
    size_t left = lines_room(s, l) - 1, uses = line_uses(l) + 1;
    bool is_last = s->settings->max_requests && uses >= s->settings->max_requests;
    line_move(l, alone || is_last || left == 0 ? &s->busy : &s->shared);
    line_lend(l, alone);
    return l;
}

static struct line *take_least_loaded(struct lines *s)
{
    struct line *least_loaded = NULL;
    for (struct link *k = list_first(&s->shared), *next; k; k = next) {
        struct line *l = line_of(k);
        next = list_next(k);
        if (line_is_old(l))
            line_move(l, &s->busy);
        else if (lines_room(s, l) == 0) /* on_full is about to come */
            continue;
        else if (least_loaded == NULL || line_load(l) < line_load(least_loaded))
            least_loaded = l;
    }
    return least_loaded ? lend(s, least_loaded, false) : NULL;
}

enum idle_state { IDLE_FIT, IDLE_LATER, IDLE_OLD, IDLE_UNFIT };

static enum idle_state look_at(struct lines *s, struct line *l, bool careful)
{
    if (line_is_old(l))
        return IDLE_OLD;
    if (lines_room(s, l) == 0)
        return line_shares(l) ? IDLE_LATER : IDLE_UNFIT;
    if (is_safe(l, careful))
        return IDLE_FIT;
    if (!may_be_fit(l))
        return IDLE_UNFIT;
    rare_note(RARE_LINE_UNREAD);
    lines_look_again(s, loop_now(s->env.loop) + 1);
    return IDLE_LATER;
}

static struct line *take_idle(struct lines *s, const struct lines_wish *wish)
{
    struct line *taken = NULL;
    bool lost = false;
    for (struct link *k = list_first(&s->idle), *next; k && !taken; k = next) {
        struct line *l = line_of(k);
        next = list_next(k);
        if (wish->wants_new && line_uses(l))
            continue;
        enum idle_state state = look_at(s, l, wish->careful);
        if (state == IDLE_FIT)
            taken = lend(s, l, wish->alone);
        if (state == IDLE_FIT || state == IDLE_LATER)
            continue;
        if (state == IDLE_UNFIT) {
            rare_note(RARE_LINE_UNFIT);
            floor_lost(&s->floor, s->settings, line_uses(l) > 0, loop_now(s->env.loop));
        }
        lines_retire(s, l, state == IDLE_OLD ? CLOSE_MAX_AGE : CLOSE_PEER,
                     "found unfit when asked for");
        lost = true;
    }
    if (lost)
        lines_keep_floor(s);
    return taken;
}

/* If no other line may come, one that was lent to an order alone is shared, rather than let a
 * request wait for its end. */
static struct line *take_lonely(struct lines *s)
{
    if (s->traits.kind != PROSPECT_MANY || lines_coming(s) > 0)
        return NULL;
    for (struct link *k = list_first(&s->busy); k; k = list_next(k)) {
        struct line *l = line_of(k);
        if (lines_unfit(s, l) != CLOSE_REASON_COUNT || !line_open_up(l, lines_most(s, l)))
            continue;
        rare_note(RARE_LINE_OPENED_UP);
        return lend(s, l, false);
    }
    return NULL;
}

struct line *lines_take(struct lines *s, const struct lines_wish *wish)
{
    struct line *l = NULL;
    if (!wish->alone && !wish->wants_new && s->idle.count < 2)
        l = take_least_loaded(s);
    if (l == NULL)
        l = take_idle(s, wish);
    if (l == NULL && wish->may_share)
        l = take_least_loaded(s);
    if (l == NULL && wish->may_share)
        l = take_lonely(s);
    return l;
}

bool lines_make_room(struct lines *s)
{
    if (lines_open(s) < s->settings->max_connections || s->idle.count == 0)
        return false;
    rare_note(RARE_LINE_MADE_ROOM);
    lines_retire(s, line_of(list_last(&s->idle)), CLOSE_RECONNECT, "for a new one");
    return true;
}
