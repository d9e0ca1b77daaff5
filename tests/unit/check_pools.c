/* The map of pools: what a reload keeps and what it ends, and the bound on hosts
 * without an upstream block. Lines, where there are any, go to a loopback origin. */
#include <stdio.h>

#include "base/log.h"
#include "config_fixture.h"
#include "plain_origin.h"
#include "stopwatch.h"
#include "suite.h"
#include "until.h"
#include "upstream/pools_snapshot.h"

static struct loop *loop;
static struct plain_origin origin;
static struct connect_env env;
static struct config *config;
static struct pools *pools;

static enum failure permit(void *context, bool listed, const struct sockaddr *address)
{
    (void)context;
    (void)listed;
    (void)address;
    return FAILURE_NONE;
}

/* The pools of this text from now on; "PORT" in it is the origin's. */
static void apply(const char *text)
{
    struct text whole = {0};
    struct config *old = config;
    if (strstr(text, "defaults") == NULL)
        text_add_str(&whole, "defaults { tls_verify = no }\n");
    for (const char *at; (at = strstr(text, "PORT")); text = at + 4) {
        text_add(&whole, (struct span){text, (size_t)(at - text)});
        text_add_number(&whole, origin.port);
    }
    text_add_str(&whole, text);
    config = parse_good(whole.at);
    text_free(&whole);
    struct tls_set *tls = tls_set_new(config, complain, &complaints);
    ck_assert_ptr_nonnull(tls);
    pools_apply(pools, config, tls);
    tls_set_free(tls);
    config_unref(old);
}

static void begin(const char *text)
{
    log_set_level(LOG_LEVEL_ERROR);
    tls_start();
    loop = loop_new();
    plain_origin_start(&origin, loop);
    env = (struct connect_env){.loop = loop, .permit = permit};
    pools = pools_new(&env);
    config = NULL;
    apply(text);
}

static void finish(void)
{
    pools_free(pools);
    config_unref(config);
    plain_origin_end(&origin);
    loop_run(loop);
    loop_free(loop);
    forget();
}

static struct pool *listed(const char *name)
{
    const struct upstream_config *u = find(config, name);
    ck_assert_ptr_nonnull(u);
    return pools_find(pools, u, NULL);
}

static struct pool *unlisted_at(const char *host, bool secure, uint16_t port)
{
    struct origin o = {.secure = secure, .host = span_of(host), .port = port};
    return pools_find(pools, NULL, &o);
}

static struct pool *unlisted(const char *host)
{
    return unlisted_at(host, true, 443);
}

static struct pool_view look(const struct pool *p)
{
    struct pool_view v;
    pool_describe(p, &v);
    return v;
}

static void add_name(void *context, const struct pool *p)
{
    text_add_str(context, look(p).name);
    text_add_str(context, " ");
}

static void names_are(const char *expected)
{
    struct text names = {0};
    text_add_str(&names, "");
    pools_each(pools, add_name, &names);
    ck_assert_str_eq(names.at, expected);
    text_free(&names);
}

#define UP(name, more)                                                                             \
    "upstream " name " {\nurl = \"http://" name                                                    \
    ".example\"\nconnect_to = \"127.0.0.1:PORT\"\n" more "\n}\n"

/* ------------------------------------------------------------ reloading */

START_TEST(test_unchanged)
{
    begin(UP("a", "min_idle = 1"));
    struct pool *a = listed("a");
    ck_assert(!pools_floor_tried(pools));
    UNTIL(look(a).idle == 1);
    ck_assert(pools_floor_tried(pools));
    apply(UP("a", "min_idle = 1"));
    ck_assert_ptr_eq(listed("a"), a);
    apply(UP("b", "") UP("a", "min_idle = 1\nmax_connections = 3\nresponse_timeout = 1s"));
    ck_assert_ptr_eq(listed("a"), a);
    ck_assert_uint_eq(pool_settings(a)->max_connections, 3);
    ck_assert_uint_eq(look(a).idle, 1);
    ck_assert_uint_eq(look(a).stats->opened, 1);
    names_are("b a ");
    finish();
}
END_TEST

/* A setting that decides how lines are opened has changed: the pool stays, its lines are closed. */
START_TEST(test_renewed)
{
    static const char *const changes[] = {
        "upstream a {\nurl = \"http://a.example\"\nconnect_to = \"127.0.0.2:PORT\"\n}\n",
        UP("a", "tls_name = \"b.example\""), UP("a", "tls_min = 1.3"), UP("a", "tls_verify = yes")};
    begin(UP("a", "min_idle = 1"));
    struct pool *a = listed("a");
    UNTIL(look(a).idle == 1);
    apply(changes[_i]);
    ck_assert_ptr_eq(listed("a"), a);
    ck_assert_uint_eq(look(a).idle, 0);
    ck_assert_uint_eq(look(a).stats->closed[CLOSE_RECONNECT], 1);
    finish();
}
END_TEST

START_TEST(test_gone)
{
    struct link request = {0};
    begin(UP("a", "min_idle = 1") UP("b", ""));
    struct pool *a = listed("a");
    UNTIL(look(a).idle == 1);
    pool_enter(a, &request);
    apply(UP("b", ""));
    names_are("b ");
    ck_assert_uint_eq(pool_lines(a), 0);
    ck_assert_uint_eq(pools_requests(pools), 1); /* it ends with its last request */
    loop_turn(loop, false);
    ck_assert_str_eq(look(a).state, "draining");
    apply(UP("b", "") UP("a", "")); /* of that name again: another pool */
    ck_assert_ptr_ne(listed("a"), a);
    pool_leave(a, &request);
    ck_assert_uint_eq(pools_requests(pools), 0);
    loop_turn(loop, false); /* freed here: ASan would report any further use */
    names_are("b a ");
    finish();
}
END_TEST

/* Freed with the other pools if the loop does not turn again. */
START_TEST(test_gone_at_the_end)
{
    begin(UP("a", ""));
    apply("");
    names_are("");
    finish();
}
END_TEST

/* It remains the upstream of that name: its lines are closed, but its counters, its budget and the
 * operator's commands are kept. */
START_TEST(test_other_origin)
{
    static const char *const states[] = {"up", "paused", "draining"};
    begin(UP("a", "min_idle = 1"));
    struct pool *a = listed("a");
    uint64_t id = pool_id(a);
    UNTIL(look(a).idle == 1);
    if (_i)
        pool_command(a, _i == 1 ? POOL_PAUSE : POOL_DRAIN);
    apply("upstream a {\nurl = \"http://other.example\"\n}\n");
    ck_assert_ptr_eq(listed("a"), a);
    ck_assert_uint_eq(pool_id(a), id);
    ck_assert_str_eq(look(a).state, states[_i]);
    ck_assert_str_eq(look(a).origin, "http://other.example:80");
    ck_assert_str_eq(pool_origin(a)->authority, "other.example");
    ck_assert_str_eq(pool_origin(a)->next_hop, "other.example:80");
    ck_assert_uint_eq(look(a).idle, 0);
    ck_assert_uint_eq(look(a).stats->opened, 1);
    names_are("a ");
    apply(UP("a", "min_idle = 1\nmax_idle = 3") "upstream b {\nurl = \"https://a.example\"\n}\n");
    ck_assert_str_eq(look(a).state, states[_i]);
    if (_i == 0)
        UNTIL(look(a).idle == 1);
    loop_turn(loop, false);
    finish();
}
END_TEST

/* A host without a block that an operator paused does not make room for another. */
START_TEST(test_a_pause_keeps_its_place)
{
    char host[32];
    begin(UP("a", ""));
    struct pool *first = unlisted("paused.example");
    pool_command(first, POOL_PAUSE);
    for (unsigned i = 0; i < 2 * POOLS_UNLISTED_MAX; i++) {
        snprintf(host, sizeof host, "h%u.example", i);
        ck_assert_ptr_nonnull(unlisted(host));
    }
    ck_assert_ptr_eq(unlisted("paused.example"), first);
    ck_assert_str_eq(look(first).state, "paused");
    loop_turn(loop, false);
    finish();
}
END_TEST

START_TEST(test_names)
{
    begin("upstream six {\nurl = \"https://[2001:db8::1]:8443\"\n}\n"
          "upstream four {\nurl = \"http://192.0.2.1\"\n}\n");
    const struct pool_origin *o = pool_origin(listed("six"));
    ck_assert_str_eq(o->origin, "https://[2001:db8::1]:8443");
    ck_assert_str_eq(o->authority, "[2001:db8::1]:8443");
    ck_assert_str_eq(o->next_hop, "[2001:db8::1]:8443");
    ck_assert(o->listed);
    o = pool_origin(listed("four"));
    ck_assert_str_eq(o->authority, "192.0.2.1");
    ck_assert_str_eq(o->next_hop, "192.0.2.1:80");
    finish();
}
END_TEST

START_TEST(test_drain)
{
    begin(UP("a", "min_idle = 2"));
    UNTIL(look(listed("a")).idle == 2);
    pools_drain(pools);
    ck_assert_uint_eq(pool_lines(listed("a")), 0);
    ck_assert_uint_eq(look(listed("a")).stats->closed[CLOSE_DRAIN], 2);
    finish();
}
END_TEST

/* A pause of all pools also applies to pools made later, until all are resumed. */
START_TEST(test_verbs_to_all)
{
    begin(UP("a", "") UP("b", ""));
    struct pool *x = unlisted("x.example");
    pools_command(pools, POOL_PAUSE);
    apply(UP("a", "") UP("b", "") UP("c", ""));
    ck_assert_str_eq(look(listed("a")).state, "paused");
    ck_assert_str_eq(look(listed("c")).state, "paused");
    ck_assert_str_eq(look(x).state, "paused");
    ck_assert_str_eq(look(unlisted("y.example")).state, "paused");
    pools_command(pools, POOL_RESUME);
    ck_assert_str_eq(look(listed("b")).state, "up");
    ck_assert_str_eq(look(x).state, "up");
    ck_assert_str_eq(look(unlisted("z.example")).state, "up");
    finish();
}
END_TEST

/* ------------------------------------------------------------ unlisted hosts */

START_TEST(test_one_pool_an_origin)
{
    begin("");
    struct pool *p = unlisted("x.example");
    ck_assert_ptr_eq(unlisted("x.example"), p);
    ck_assert_ptr_ne(unlisted("y.example"), p);
    ck_assert_ptr_ne(unlisted_at("x.example", true, 8443), p);
    ck_assert_ptr_ne(unlisted_at("x.example", false, 443), p);
    const struct pool_origin *o = pool_origin(p);
    ck_assert_str_eq(o->name, "x.example");
    ck_assert_str_eq(o->origin, "https://x.example:443");
    ck_assert(!o->listed);
    finish();
}
END_TEST

START_TEST(test_unlisted_reloads)
{
    struct link request = {0};
    begin(UP("a", ""));
    struct pool *x = unlisted("x.example"), *y = unlisted("y.example");
    pool_enter(y, &request);
    apply(UP("a", "") "defaults {\ntls_verify = no\nmin_idle = 2\nmax_connections = 7\n}\n");
    ck_assert_ptr_eq(unlisted("x.example"), x);
    ck_assert_uint_eq(pool_settings(x)->max_connections, 7);
    ck_assert_str_eq(pool_settings(x)->host, "x.example");
    ck_assert_uint_eq(pool_lines(x), 0); /* min_idle is for upstream blocks */
    apply(UP("a", "") "upstream y {\nurl = \"https://y.example\"\n}\n");
    ck_assert_ptr_ne(listed("y"), y);
    names_are("a y x.example ");
    ck_assert_uint_eq(pools_requests(pools), 1);
    pool_leave(y, &request);
    loop_turn(loop, false);
    finish();
}
END_TEST

static struct pool *numbered(unsigned n)
{
    char host[40];
    snprintf(host, sizeof host, "h%u.example", n);
    return unlisted(host);
}

static void count(void *context, const struct pool *p)
{
    (void)p;
    ++*(unsigned *)context;
}

static unsigned count_pools(void)
{
    unsigned n = 0;
    pools_each(pools, count, &n);
    return n;
}

/* The one longest unused makes room, if no request is on it. */
START_TEST(test_bound)
{
    static struct link requests[POOLS_UNLISTED_MAX];
    begin("");
    for (unsigned i = 0; i < POOLS_UNLISTED_MAX; i++)
        ck_assert_ptr_nonnull(numbered(i));
    struct pool *first = numbered(0); /* now used last */
    pool_enter(numbered(1), &requests[1]);
    for (unsigned i = 3; i < POOLS_UNLISTED_MAX; i++)
        (void)!numbered(i);
    (void)!numbered(0);
    ck_assert_ptr_nonnull(numbered(1000)); /* in place of 2: 1 is busy */
    ck_assert_uint_eq(count_pools(), POOLS_UNLISTED_MAX);
    loop_turn(loop, false);
    ck_assert_ptr_eq(numbered(0), first);
    pool_leave(numbered(1), &requests[1]);
    loop_turn(loop, false);
    for (unsigned i = 0; i < POOLS_UNLISTED_MAX; i++)
        pool_enter(numbered(2000 + i), &requests[i]); /* each pushes an idle one out */
    ck_assert_uint_eq(count_pools(), POOLS_UNLISTED_MAX);
    ck_assert_ptr_null(numbered(5000)); /* all are in use */
    ck_assert_ptr_nonnull(numbered(2007));
    for (unsigned i = 0; i < POOLS_UNLISTED_MAX; i++)
        pool_leave(numbered(2000 + i), &requests[i]);
    ck_assert_ptr_nonnull(numbered(5000));
    ck_assert_uint_eq(pools_requests(pools), 0);
    finish();
}
END_TEST

/* ------------------------------------------------------------- names in metrics */

struct labels {
    struct text names;
    unsigned count;
    uint64_t sum, other; /* of `succeeded` */
};

static void add_label(struct labels *l, const struct pool_view *v)
{
    l->count++;
    l->sum += v->stats->succeeded;
    if (strcmp(v->name, POOLS_OTHER) == 0)
        l->other = v->stats->succeeded;
    text_add_str(&l->names, v->name);
    text_add_str(&l->names, " ");
}

static void tell_labels(struct labels *l)
{
    struct pools_snapshot *walk = pools_snapshot_named(pools);
    struct pool_view view;
    while (pools_snapshot_gather(walk))
        ;
    for (size_t i = 0; i < pools_snapshot_count(walk); i++) {
        pools_snapshot_view(walk, i, &view);
        add_label(l, &view);
    }
    pools_snapshot_free(walk);
}

static void labels_are(const char *expected)
{
    struct labels l = {0};
    text_add_str(&l.names, "");
    tell_labels(&l);
    ck_assert_str_eq(l.names.at, expected);
    text_free(&l.names);
}

static void sums_are(unsigned labels, uint64_t sum, uint64_t other)
{
    struct labels l = {0};
    tell_labels(&l);
    ck_assert_uint_eq(l.count, labels);
    ck_assert_uint_eq(l.sum, sum);
    ck_assert_uint_eq(l.other, other);
    text_free(&l.names);
}

START_TEST(test_labels)
{
    begin(UP("a", "") UP("b", ""));
    labels_are("a b ");
    (void)!unlisted("x.example");
    labels_are("a b x.example ");
    (void)!unlisted("b"); /* two series of one name are an error in Prometheus */
    pool_stats(unlisted("b"))->succeeded = 3;
    labels_are("a b x.example other ");
    sums_are(4, 3, 3);
    (void)!unlisted("other");
    labels_are("a b x.example other ");
    apply(UP("other", ""));
    labels_are("other x.example b other hosts ");
    finish();
}
END_TEST

/* However many hosts come and go, the number of names is bounded, and no sum ever decreases. */
START_TEST(test_labels_are_few)
{
    begin(UP("a", ""));
    for (unsigned i = 0; i < POOLS_UNLISTED_MAX; i++)
        pool_stats(numbered(i))->succeeded = 1;
    sums_are(1 + POOLS_NAMED_MAX, POOLS_NAMED_MAX, 0);
    for (unsigned i = 0; i < 300; i++) {
        pool_stats(numbered(1000 + i))->succeeded = 1;
        struct labels l = {0};
        tell_labels(&l);
        ck_assert_uint_eq(l.sum, POOLS_NAMED_MAX + i + 1);
        ck_assert_uint_le(l.count, 2 + POOLS_NAMED_MAX);
        text_free(&l.names);
        if (i % 3 == 0)
            loop_turn(loop, false); /* those gone are freed */
    }
    loop_turn(loop, false);
    sums_are(2, POOLS_NAMED_MAX + 300, POOLS_NAMED_MAX + 300); /* no name is given twice */
    (void)!numbered(0);
    sums_are(2, POOLS_NAMED_MAX + 300, POOLS_NAMED_MAX + 300);
    finish();
}
END_TEST

/* A report that takes several turns covers the pools that existed at its start, each once. */
START_TEST(test_a_walk_outlasts_pools)
{
    begin(UP("a", ""));
    for (unsigned i = 0; i < POOLS_UNLISTED_MAX; i++)
        pool_stats(numbered(i))->succeeded = 1;
    struct pools_snapshot *named = pools_snapshot_named(pools), *all = pools_snapshot_all(pools);
    for (unsigned i = 0; i < 300; i++)
        pool_stats(numbered(1000 + i))->succeeded = 1;
    apply(UP("b", ""));
    loop_turn(loop, false);
    struct pool_view view;
    uint64_t sum = 0;
    ck_assert(!pools_snapshot_gather(named));
    ck_assert_uint_eq(pools_snapshot_count(named), 1 + POOLS_UNLISTED_MAX);
    ck_assert_uint_eq(pools_snapshot_count(all), 1 + POOLS_UNLISTED_MAX);
    for (size_t i = 0; i < pools_snapshot_count(named); i++) {
        pools_snapshot_view(named, i, &view);
        sum += view.stats->succeeded;
        if (i == 0)
            ck_assert_str_eq(view.name, "a");
    }
    ck_assert_uint_eq(sum, POOLS_UNLISTED_MAX);
    pools_snapshot_free(named);
    pools_snapshot_free(all);
    loop_turn(loop, false);
    sums_are(2, POOLS_UNLISTED_MAX + 300, POOLS_UNLISTED_MAX + 300);
    finish();
}
END_TEST

START_TEST(test_long_host)
{
    char host[300];
    begin("");
    memset(host, 'a', sizeof host);
    host[253] = '\0';
    ck_assert_ptr_nonnull(unlisted(host));
    host[253] = 'a';
    host[254] = '\0';
    ck_assert_ptr_null(unlisted(host));
    finish();
}
END_TEST

SUITE()
{
    TEST(test_unchanged);
    LOOP(test_renewed, 0, 4);
    TEST(test_gone);
    TEST(test_gone_at_the_end);
    LOOP(test_other_origin, 0, 3);
    TEST(test_a_pause_keeps_its_place);
    TEST(test_names);
    TEST(test_drain);
    TEST(test_verbs_to_all);
    TEST(test_one_pool_an_origin);
    TEST(test_unlisted_reloads);
    TEST(test_bound);
    TEST(test_labels);
    TEST(test_labels_are_few);
    TEST(test_a_walk_outlasts_pools);
    TEST(test_long_host);
}
