#include "pool_fixture.h"

#include <check.h>

struct loop *loop;
struct pool *pool;
struct fake_connector *line_maker;
struct caller callers[CALLERS];
size_t served;
bool emptied, freed;

static void on_empty(void *owner, struct pool *p)
{
    ck_assert_ptr_eq(owner, &emptied);
    ck_assert_ptr_eq(p, pool);
    emptied = true;
}

/* Of several ways, the last one made is line_maker's. */
static struct connector *make_connector(void *context)
{
    ck_assert_ptr_null(context);
    line_maker = fake_connector_new(&freed);
    return &line_maker->base;
}

void begin(const char *directives)
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
    const struct way_maker maker = {make_connector, NULL};
    pool = pool_new(loop, &maker, config, find(config, "a"), &origin, on_empty, &emptied);
    config_unref(config);
}

void forget_caller(size_t i)
{
    pool_waiter_forget(&callers[i].waiter);
    callers[i].waits = false;
}

void finish(void)
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

static void use(struct caller *c, struct line *line)
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

void on_line(void *owner, struct line *line)
{
    struct caller *c = owner;
    ck_assert(c->waits);
    use(c, line);
}

void on_refused(void *owner, const struct verdict *why)
{
    struct caller *c = owner;
    ck_assert(c->waits);
    ck_assert_int_eq(why->sent, SENT_NO);
    c->waits = false;
    c->refused++;
    c->why = *why;
}

static void stay(void *owner)
{
    (void)owner;
}

void call_until(size_t i, bool is_order, uint64_t until_ms)
{
    struct caller *c = &callers[i];
    ck_assert(!c->waits && c->conn == NULL);
    c->waiter.is_order = c->waiter.rides_alone = is_order;
    c->waiter.owner = c;
    c->waiter.on_line = on_line;
    c->waiter.on_refused = on_refused;
    c->waiter.on_recall = stay;
    struct line *line = pool_acquire(pool, pool_ways(pool)->at[0], &c->waiter, until_ms);
    c->waits = line == NULL;
    if (line)
        use(c, line);
}

void call(size_t i, bool is_order)
{
    call_until(i, is_order, loop_now(loop) + UNTIL_MS);
}

void hang_up(size_t i)
{
    struct fake_conn *conn = callers[i].conn;
    ck_assert_ptr_nonnull(conn);
    callers[i].conn = NULL;
    fake_conn_room(conn);
}

void lose(size_t i, enum close_reason why)
{
    struct fake_conn *conn = callers[i].conn;
    ck_assert_ptr_nonnull(conn);
    callers[i].conn = NULL;
    fake_conn_gone(conn, why);
}

void refused(size_t i, enum failure why)
{
    ck_assert_uint_eq(callers[i].refused, 1);
    ck_assert_str_eq(failure_name(callers[i].why.error), failure_name(why));
}

struct pool_view look(void)
{
    struct pool_view v;
    pool_describe(pool, &v);
    return v;
}

void call_all(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        call(i, false);
}

size_t have_lines(size_t from, size_t to)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        n += callers[i].conn != NULL;
    return n;
}

void open_lines(size_t count)
{
    for (size_t i = 0; i < count; i++)
        call(i, false);
    while (line_maker->dials.count)
        fake_connect(line_maker);
    for (size_t i = 0; i < count; i++)
        hang_up(i);
    ck_assert_uint_eq(look().idle, count);
}

uint64_t closed(enum close_reason why)
{
    return look().stats->closed[why];
}
