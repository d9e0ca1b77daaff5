/* What freeze and unfreeze of an operator find, do and count. */
#include "proxy/freeze_verb.h"

#include "kept_log.h"
#include "suite.h"
#include "transaction_fixture.h"

static struct freezes *freezes;

static enum freeze_outcome say(bool lifts, const char *upstream, const char *bot)
{
    size_t tunnels;
    const struct freeze_verb v = {lifts, span_of(upstream), span_of(bot), "a test"};
    enum freeze_outcome outcome = freeze_verb_obey(&v, freezes, pools, config, &tunnels);
    ck_assert_uint_eq(tunnels, 0);
    return outcome;
}

static bool is_frozen(const char *upstream, const char *bot)
{
    return freezes_find(freezes, upstream, span_of(bot ? bot : "")) != NULL;
}

static void start(void)
{
    begin("");
    freezes = proxy_freezes(proxy);
}

START_TEST(what_is_meant_is_frozen)
{
    ck_assert_int_eq(say(false, "a", ""), FREEZE_DONE);
    ck_assert(is_frozen("a", NULL) && is_frozen("a", "grid") && !is_frozen("b", NULL));
    ck_assert_int_eq(say(false, "a", ""), FREEZE_DONE); /* once more */
    ck_assert_int_eq(say(true, "a", ""), FREEZE_DONE);
    ck_assert(!is_frozen("a", NULL));
    ck_assert_int_eq(say(false, "a", "grid"), FREEZE_DONE);
    ck_assert(is_frozen("a", "grid") && !is_frozen("a", "arb"));
    ck_assert_int_eq(say(true, "a", "grid"), FREEZE_DONE);
    ck_assert_int_eq(say(false, "", ""), FREEZE_DONE);
    ck_assert(is_frozen("a", NULL) && is_frozen("b", "grid"));
    ck_assert_int_eq(say(true, "", ""), FREEZE_DONE);
    ck_assert(!is_frozen("b", "grid"));
}
END_TEST

/* By whom, and whose orders. */
START_TEST(it_is_logged)
{
    static const struct {
        bool lifts;
        const char *upstream, *bot, *line;
    } rows[] = {{false, "a", "", " warn upstream a: frozen by a test\n"},
                {true, "a", "", " warn upstream a: unfrozen by a test\n"},
                {false, "a", "grid", " warn upstream a: bot grid frozen by a test\n"},
                {true, "", "grid", " warn all upstreams: bot grid unfrozen by a test\n"},
                {false, "", "", " warn all upstreams: frozen by a test\n"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        kept_log_begin(LOG_LEVEL_WARN);
        enum freeze_outcome outcome = say(rows[i].lifts, rows[i].upstream, rows[i].bot);
        const char *line = kept_log_end();
        ck_assert_int_eq(outcome, FREEZE_DONE);
        ck_assert_msg(strstr(line, rows[i].line) != NULL, "%zu: %s", i, line);
    }
}
END_TEST

/* What is frozen can be thawed, though it is configured no more. */
START_TEST(a_name_is_known)
{
    ck_assert_int_eq(say(false, "nobody", ""), FREEZE_UNKNOWN);
    ck_assert_int_eq(say(true, "nobody", ""), FREEZE_UNKNOWN);
    ck_assert(!is_frozen("nobody", NULL));
    ck_assert(freezes_begin(freezes, "gone", NULL, "a test"));
    ck_assert_int_eq(say(false, "gone", ""), FREEZE_UNKNOWN);
    ck_assert_int_eq(say(true, "gone", ""), FREEZE_DONE);
    ck_assert(!is_frozen("gone", NULL));
}
END_TEST

/* A host without a block is known by its pool, as long as that is in use. */
START_TEST(a_pool_is_known)
{
    struct origin o = {.host = SPAN("free.example"), .port = 80};
    struct pool *p = pools_find(pools, NULL, &o);
    ck_assert_ptr_nonnull(p);
    struct pool_view v;
    pool_describe(p, &v);
    char name[100];
    snprintf(name, sizeof name, "%s", v.name);
    ck_assert_int_eq(say(false, name, ""), FREEZE_DONE);
    ck_assert(is_frozen(name, NULL));
}
END_TEST

START_TEST(there_is_room_for_so_many)
{
    char bot[20];
    for (int i = 0; i < FREEZES_MAX; i++) {
        snprintf(bot, sizeof bot, "bot%d", i);
        ck_assert_int_eq(say(false, "a", bot), FREEZE_DONE);
    }
    ck_assert_int_eq(say(false, "a", "one-more"), FREEZE_FULL);
    ck_assert(!is_frozen("a", "one-more"));
}
END_TEST

SUITE()
{
    FIXTURE(start, finish);
    TEST(what_is_meant_is_frozen);
    TEST(it_is_logged);
    TEST(a_name_is_known);
    TEST(a_pool_is_known);
    TEST(there_is_room_for_so_many);
}
