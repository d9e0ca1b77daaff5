#include "proxy/clocks.h"

#include "base/duration.h"

/* A response that nobody reads: */
#define DRAINED_MS 2000     /* the longest that its connection is kept for it, */
#define DRAINED_STEP_MS 500 /* the longest if other requests wait for a connection, */
#define DRAINED_GAP_MS 500  /* the longest pause between two pieces of its body */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_past(const struct clocks *c, uint64_t at)
{
    return loop_now(c->loop) >= at;
}

uint64_t clocks_after(const struct clocks *c, uint64_t ms)
{
    return ms ? loop_now(c->loop) + ms : UINT64_MAX;
}

void clocks_init(struct clocks *c, struct loop *loop, const struct upstream_config *settings,
                 uint64_t total_ms)
{
    *c = (struct clocks){.loop = loop, .settings = settings, .total_ms = total_ms};
    c->order_at = c->response_at = UINT64_MAX;
    c->total_at = clocks_after(c, total_ms);
    c->transfer_at = clocks_after(c, settings->transfer_timeout);
}

void clocks_is_order(struct clocks *c)
{
    c->order_at = clocks_after(c, c->settings->order_wait);
}

void clocks_try(struct clocks *c)
{
    c->response_at = UINT64_MAX;
}

void clocks_sent(struct clocks *c)
{
    c->response_at = clocks_after(c, c->settings->response_timeout);
}

void clocks_active(struct clocks *c)
{
    c->active_at = loop_now(c->loop);
}

uint64_t clocks_wait_until(const struct clocks *c)
{
    return least(least(c->total_at, c->order_at), c->transfer_at);
}

uint64_t clocks_serialize_until(const struct clocks *c)
{
    return least(clocks_wait_until(c), clocks_after(c, c->settings->serialize_timeout));
}

void clocks_follow(struct clocks *c, bool is_order)
{
    c->total_at = UINT64_MAX;
    c->follows = is_order;
    if (is_order)
        return;
    c->drained_at = loop_now(c->loop) + DRAINED_MS;
    c->transfer_at = loop_now(c->loop) + DRAINED_STEP_MS;
}

void clocks_drain_on(struct clocks *c)
{
    if (!is_past(c, c->drained_at) && is_past(c, c->transfer_at))
        c->transfer_at = least(loop_now(c->loop) + DRAINED_STEP_MS, c->drained_at);
}

static uint64_t body_due(const struct clocks *c)
{
    uint64_t body = c->settings->body_timeout;
    if (c->drained_at && (!body || body > DRAINED_GAP_MS))
        body = DRAINED_GAP_MS;
    return c->paused || !body ? UINT64_MAX : c->active_at + body;
}

uint64_t clocks_due(const struct clocks *c, enum clocks_phase phase)
{
    switch (phase) {
    case CLOCKS_AWAITING: return least(least(c->total_at, c->response_at), c->transfer_at);
    case CLOCKS_RECEIVING: return least(body_due(c), c->transfer_at);
    case CLOCKS_HOLDING: return least(least(body_due(c), c->transfer_at), c->total_at);
    default: return least(c->total_at, c->transfer_at);
    }
}

bool clocks_are_up(struct clocks *c, enum clocks_phase phase, bool is_sent)
{
    if (is_past(c, c->transfer_at) || (phase != CLOCKS_RECEIVING && is_past(c, c->total_at)))
        return true;
    if (phase >= CLOCKS_RECEIVING)
        return is_past(c, body_due(c));
    if (phase != CLOCKS_AWAITING || !is_past(c, c->response_at))
        return false;
    if (is_sent || c->follows)
        return true;
    clocks_sent(c);
    return false;
}

static struct verdict body_verdict(const struct clocks *c)
{
    char limit[DURATION_TEXT_SIZE];
    const struct upstream_config *u = c->settings;
    if (is_past(c, c->transfer_at))
        return verdict_make(FAILURE_CONNECTION_READ_TIMEOUT, SENT_YES, "not transferred within %s",
                            duration_text(limit, u->transfer_timeout));
    if (is_past(c, body_due(c)))
        return verdict_make(FAILURE_CONNECTION_READ_TIMEOUT, SENT_YES,
                            "no byte of the body within %s", duration_text(limit, u->body_timeout));
    return verdict_make(FAILURE_HTTP_RESPONSE_TIMEOUT, SENT_YES,
                        "the response was not complete within %s",
                        duration_text(limit, c->total_ms));
}

/* The limit of the whole request that is up, as text. */
static const char *overall(const struct clocks *c, char *limit)
{
    return duration_text(limit,
                         is_past(c, c->transfer_at) ? c->settings->transfer_timeout : c->total_ms);
}

struct verdict clocks_verdict(const struct clocks *c, enum clocks_phase phase)
{
    char limit[DURATION_TEXT_SIZE];
    const struct upstream_config *u = c->settings;
    if (phase == CLOCKS_GATHERING) {
        struct verdict v =
            verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO,
                         "the request's body did not come within %s", overall(c, limit));
        v.status = 408;
        return v;
    }
    if (phase >= CLOCKS_RECEIVING)
        return body_verdict(c);
    if (phase == CLOCKS_WAITING)
        return verdict_make(FAILURE_CONNECTION_TIMEOUT, SENT_NO, "no connection within %s",
                            overall(c, limit));
    return clocks_late(is_past(c, c->transfer_at) ? u->transfer_timeout
                       : is_past(c, c->total_at)  ? c->total_ms
                                                  : u->response_timeout);
}

struct verdict clocks_late(uint64_t total_ms)
{
    char limit[DURATION_TEXT_SIZE];
    return verdict_make(FAILURE_HTTP_RESPONSE_TIMEOUT, SENT_YES, "no response head within %s",
                        duration_text(limit, total_ms));
}
