/* One pool over a fake connector, and callers that use its lines, for
 * check_pool.c, check_lines.c and others. Needs config_fixture.h before it. */
#pragma once

#include "base/log.h"
#include "fake_connector.h"
#include "upstream/pool.h"

#define CALLERS 100
#define UNTIL_MS 60000

struct caller {
    struct pool_waiter waiter;
    bool waits;
    struct fake_conn *conn; /* of its line, until hung up or lost */
    size_t place;           /* the how manyth was it to get a line */
    unsigned refused;
    struct verdict why;
    bool reused;
    void (*then)(void); /* done when it gets its line */
};

static struct loop *loop;
static struct pool *pool;
static struct fake_connector *line_maker;
static struct caller callers[CALLERS];
static size_t served;
static bool emptied, freed;

static inline void on_empty(void *owner, struct pool *p)
{
    ck_assert_ptr_eq(owner, &emptied);
    ck_assert_ptr_eq(p, pool);
    emptied = true;
}

static inline void begin(const char *directives)
{
    static const struct pool_origin origin = {"a", "https://a.example:443", "a.example",
                                              "a.example:443", true};
    struct text text = {0};
    text_printf(&text,
                "defaults {\nhttp2 = never\n}\n"
                "upstream a {\nurl = \"https://a.example\"\n%s\n}\n",
                directives);
    struct config *config = parse_good(text.at);
    text_free(&text);
    log_set_level(LOG_LEVEL_ERROR);
    served = 0;
    emptied = freed = false;
    memset(callers, 0, sizeof callers);
    loop = loop_new();
    loop_hold(loop);
    line_maker = fake_connector_new(&freed);
    pool =
        pool_new(loop, &line_maker->base, config, find(config, "a"), &origin, on_empty, &emptied);
    config_unref(config);
}

static inline void forget_caller(size_t i)
{
    pool_forget(&callers[i].waiter);
    callers[i].waits = false;
}

static inline void finish(void)
{
    for (size_t i = 0; i < CALLERS; i++)
        if (callers[i].waits)
            forget_caller(i);
    pool_free(pool);
    ck_assert(freed);
    loop_turn(loop, false);
    loop_free(loop);
    forget();
}

static inline void use(struct caller *c, struct line *line)
{
    static const struct conn_request request;
    static const struct exchange_events none;
    struct line_facts facts;
    line_describe(line, &facts);
    c->waits = false;
    c->reused = facts.reused;
    c->place = ++served;
    c->conn = fake_conn_of(line_open(line, &request, &none, c));
    if (c->then)
        c->then();
}

static inline void on_line(void *owner, struct line *line)
{
    struct caller *c = owner;
    ck_assert(c->waits);
    use(c, line);
}

static inline void on_refused(void *owner, const struct verdict *why)
{
    struct caller *c = owner;
    ck_assert(c->waits);
    ck_assert_int_eq(why->sent, SENT_NO);
    c->waits = false;
    c->refused++;
    c->why = *why;
}

static inline void call_until(size_t i, bool is_order, uint64_t until_ms)
{
    struct caller *c = &callers[i];
    ck_assert(!c->waits && c->conn == NULL);
    c->waiter.is_order = c->waiter.rides_alone = is_order;
    c->waiter.owner = c;
    c->waiter.on_line = on_line;
    c->waiter.on_refused = on_refused;
    struct line *line = pool_acquire(pool, &c->waiter, until_ms);
    c->waits = line == NULL;
    if (line)
        use(c, line);
}

static inline void call(size_t i, bool is_order)
{
    call_until(i, is_order, loop_now(loop) + UNTIL_MS);
}

/* Its exchange ends well; its line is lost. */
static inline void hang_up(size_t i)
{
    struct fake_conn *conn = callers[i].conn;
    ck_assert_ptr_nonnull(conn);
    callers[i].conn = NULL;
    fake_conn_room(conn);
}

static inline void lose(size_t i, enum close_reason why)
{
    struct fake_conn *conn = callers[i].conn;
    ck_assert_ptr_nonnull(conn);
    callers[i].conn = NULL;
    fake_conn_gone(conn, why);
}

static inline void refused(size_t i, enum failure why)
{
    ck_assert_uint_eq(callers[i].refused, 1);
    ck_assert_str_eq(failure_name(callers[i].why.error), failure_name(why));
}

static inline struct pool_view look(void)
{
    struct pool_view v;
    pool_describe(pool, &v);
    return v;
}

static inline void call_all(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        call(i, false);
}

static inline size_t have_lines(size_t from, size_t to)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        n += callers[i].conn != NULL;
    return n;
}

/* So many lines are established, and idle. */
static inline void open_lines(size_t count)
{
    for (size_t i = 0; i < count; i++)
        call(i, false);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    for (size_t i = 0; i < count; i++)
        hang_up(i);
    ck_assert_uint_eq(look().idle, count);
}

static inline uint64_t closed(enum close_reason why)
{
    return look().stats->closed[why];
}
