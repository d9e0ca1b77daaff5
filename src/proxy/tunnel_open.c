#include "proxy/tunnel_open.h"

#include "base/duration.h"
#include "base/state.h"
#include "proxy/departure.h"
#include "proxy/tunnel.h"

#define MAGIC 0x70617373

#define TUNNEL_OPEN_STATES(S)                                                                      \
    S(TUNNEL_OPEN_DIALLING, "dialling", TO(TUNNEL_OPEN_ENDED))                                     \
    S(TUNNEL_OPEN_ENDED, "ended", 0)
STATE_TYPE(tunnel_open, TUNNEL_OPEN_STATES)

struct tunnel_open {
    struct exchange base;
    unsigned magic;
    enum tunnel_open_state state;
    struct loop *loop;
    struct pool *pool;
    struct way *way; /* the one that is dialled now */
    uint64_t tried;  /* the ways that were: see struct ways_wish */
    struct link held;
    const struct origin *authority;
    const struct request_id *id;
    struct upstream_config settings; /* its host is our own copy */
    struct fetch_order order;        /* what a freeze is asked with */
    struct departure departure;
    struct dial *dial;
    uint64_t total_ms;
    struct deadline deadline;
    struct task next; /* tells what was known inside tunnel_open() */
    struct verdict why;
    struct task free_later;
};

const struct response tunnel_open_answer = {
    .status = 200,
    .reason = {"Connection established", sizeof "Connection established" - 1},
    .minor = 1,
    .framing = FRAMING_NONE,
};

static bool is_looked_into(const struct origin *authority)
{
    return authority->port == 80 || authority->port == 443;
}

struct switched tunnel_open_switched(const struct origin *authority, struct tunnel *tunnel)
{
    return (struct switched){.tunnel = tunnel,
                             .looks = is_looked_into(authority),
                             .host = authority->host,
                             .port = authority->port};
}

static struct tunnel_open *self(struct exchange *x)
{
    struct tunnel_open *p = container_of(x, struct tunnel_open, base);
    MAGIC_CHECK(p, MAGIC);
    return p;
}

static void free_now(struct task *task)
{
    struct tunnel_open *p = container_of(task, struct tunnel_open, free_later);
    free((char *)p->settings.host);
    p->magic = 0;
    free(p);
}

static void enter(struct tunnel_open *p, enum tunnel_open_state to)
{
    STATE_ENTER_FOR(tunnel_open, &p->state, to, pool_origin(p->pool)->name, 0, p->id);
}

static void let_go(struct tunnel_open *p)
{
    enter(p, TUNNEL_OPEN_ENDED);
    deadline_stop(&p->deadline);
    departure_close(&p->departure);
    task_forget(&p->next);
    if (p->dial)
        dial_cancel(p->dial);
    p->dial = NULL;
    way_release(p->way);
    pool_release(p->pool, &p->held);
    loop_defer(p->loop, &p->free_later);
}

/* Called from events, never from within a call of the owner. */
static void fail(struct tunnel_open *p, const struct verdict *why)
{
    struct verdict v = *why;
    let_go(p);
    p->base.events->on_failed(p->base.owner, &v);
}

/* The tunnel holds the pool before this lets go of it. */
static void switch_over(struct tunnel_open *p, struct tunnel *tunnel)
{
    tunnel_set_freezes(tunnel, p->order.freezes, p->order.bot_said);
    struct switched to = tunnel_open_switched(p->authority, tunnel);
    let_go(p);
    p->base.events->on_switch(p->base.owner, &tunnel_open_answer, &to);
}

static void on_stopped(void *owner, const struct verdict *why)
{
    struct tunnel_open *p = owner;
    MAGIC_CHECK(p, MAGIC);
    fail(p, why);
}

static void on_next(struct task *task)
{
    struct tunnel_open *p = container_of(task, struct tunnel_open, next);
    if (p->why.error != FAILURE_NONE)
        fail(p, &p->why);
    else
        switch_over(p,
                    tunnel_new(p->loop, p->pool, p->way, TUNNEL_CONNECT, NULL, (struct span){0}));
}

static void on_connected(void *owner, struct stream *stream, const struct dial_report *report)
{
    struct tunnel_open *p = owner;
    MAGIC_CHECK(p, MAGIC);
    p->dial = NULL;
    struct tunnel *tunnel =
        tunnel_new(p->loop, p->pool, p->way, TUNNEL_CONNECT, stream, (struct span){0});
    tunnel_set_report(tunnel, report);
    switch_over(p, tunnel);
}

/* A way to the host that the client named, by an exit that it has not tried. False: there is none. */
static bool choose(struct tunnel_open *p)
{
    static const struct gate_waiter kind; /* what is inside is not known */
    const struct ways_wish wish = {.kind = &kind, .tried = p->tried};
    const struct ways *ways = pool_ways(p->pool);
    uint64_t bit;
    struct way *w = ways_choose(pool_ways(p->pool), &wish, &bit);
    if (w == NULL)
        return false;
    p->tried |= ways_exit_bits(ways, w);
    w = ways_toward(ways, w, p->authority->host, p->authority->port);
    if (p->way)
        way_release(p->way);
    p->way = w;
    way_hold(w);
    return true;
}

static void dial(struct tunnel_open *p);

/* Nothing was sent by it, so another exit may do. */
static void on_dial_failed(void *owner, enum failure why, const char *detail)
{
    struct tunnel_open *p = owner;
    MAGIC_CHECK(p, MAGIC);
    struct verdict v = verdict_make(why, SENT_NO, "%s", detail);
    p->dial = NULL;
    way_blame(p->way, true, &v);
    if (choose(p))
        dial(p);
    else
        fail(p, &v);
}

static void on_deadline(struct deadline *d)
{
    struct tunnel_open *p = container_of(d, struct tunnel_open, deadline);
    char limit[DURATION_TEXT_SIZE];
    struct verdict v = verdict_make(FAILURE_CONNECTION_TIMEOUT, SENT_NO, "no connection within %s",
                                    duration_text(limit, p->total_ms));
    way_blame(p->way, true, &v);
    fail(p, &v);
}

/* A CONNECT has no body, nor does the answer to it. */
static bool body(struct exchange *x, const char *data, size_t len)
{
    (void)data, (void)len;
    (void)self(x);
    return true;
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    (void)trailers;
    (void)self(x);
}

static void ignore(struct exchange *x)
{
    (void)self(x);
}

/* A CONNECT itself is not sent anywhere. */
static enum sent sent(const struct exchange *x)
{
    (void)x;
    return SENT_NO;
}

static void progress(const struct exchange *x, struct progress *p)
{
    (void)x;
    p->state = PROGRESS_CONNECTING;
}

static void cancel(struct exchange *x)
{
    let_go(self(x));
}

static void dial(struct tunnel_open *p)
{
    static const struct dial_events events = {on_connected, on_dial_failed};
    struct connector *c = p->way->connector;
    free((char *)p->settings.host);
    p->settings = *p->way->lines.settings;
    p->settings.host = must_strdup(p->settings.host);
    p->dial = c->ops->dial(c, &p->settings, &events, p);
}

struct exchange *tunnel_open(const struct tunnel_open_order *o,
                             const struct exchange_events *events, void *owner)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = ignore,
                                            .resume = ignore,
                                            .cancel = cancel,
                                            .sent = sent,
                                            .progress = progress};
    struct tunnel_open *p = NEW(struct tunnel_open);
    p->base = (struct exchange){&ops, events, owner};
    p->magic = MAGIC;
    p->loop = o->loop;
    p->pool = o->pool;
    p->authority = o->authority;
    p->id = o->id;
    p->total_ms = o->total_ms;
    deadline_init(&p->deadline, o->loop, on_deadline);
    task_init(&p->next, on_next);
    task_init(&p->free_later, free_now);
    pool_hold(o->pool, &p->held);
    p->order = (struct fetch_order){
        .loop = o->loop, .pool = o->pool, .freezes = o->freezes, .bot_said = o->bot_said};
    p->departure = (struct departure){.order = &p->order, .on_stopped = on_stopped, .owner = p};
    departure_open(&p->departure);
    CHECK(choose(p));
    if (departure_ask(&p->departure))
        return &p->base;
    bool answers =
        !pool_admits(o->pool, &p->why) || (is_looked_into(o->authority) && way_vouches(p->way));
    if (answers)
        loop_defer(o->loop, &p->next);
    else
        dial(p);
    if (!answers && p->total_ms)
        deadline_in(&p->deadline, p->total_ms);
    return &p->base;
}
