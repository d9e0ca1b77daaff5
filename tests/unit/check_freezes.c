/* What is frozen, by upstream and bot, and who hears of it. */
#include "proxy/freezes.h"

#include "base/text.h"
#include "suite.h"

static struct loop *loop;
static struct freezes *freezes;
static unsigned changes;

static void count_change(void *owner)
{
    ++*(unsigned *)owner;
}

static void begin(void)
{
    loop = loop_new();
    freezes = freezes_new(loop);
    changes = 0;
    freezes_watch(freezes, count_change, &changes);
}

static void finish(void)
{
    freezes_free(freezes);
    loop_free(loop);
}

static void freeze(const char *upstream, const char *bot)
{
    ck_assert(freezes_begin(freezes, upstream, bot, "a test"));
}

static bool stops(const char *upstream, const char *bot)
{
    return freezes_find(freezes, upstream, span_of(bot)) != NULL;
}

START_TEST(an_upstream_is_frozen_for_all)
{
    ck_assert(!stops("a", ""));
    freeze("a", NULL);
    const struct freeze *z = freezes_find(freezes, "a", SPAN("grid"));
    ck_assert_ptr_nonnull(z);
    ck_assert_str_eq(z->by, "a test");
    ck_assert_int_ge(z->since_ms, loop_wall_s(loop) * 1000 - 60000);
    ck_assert(stops("a", ""));
    ck_assert(!stops("b", "grid"));
    ck_assert(freezes_lift(freezes, "a", NULL));
    ck_assert(!stops("a", "grid"));
    ck_assert(!freezes_lift(freezes, "a", NULL));
    ck_assert_uint_eq(changes, 2);
}
END_TEST

START_TEST(a_bot_is_frozen_on_one_upstream)
{
    freeze("a", "grid");
    ck_assert(stops("a", "grid"));
    ck_assert(!stops("a", "gri"));
    ck_assert(!stops("a", "Grid"));
    ck_assert(!stops("a", ""));
    ck_assert(!stops("b", "grid"));
    ck_assert(!freezes_lift(freezes, "a", NULL)); /* the freeze of a bot stays */
    ck_assert(!freezes_lift(freezes, NULL, NULL));
    ck_assert(stops("a", "grid"));
    ck_assert(freezes_lift(freezes, NULL, "grid"));
    ck_assert(!stops("a", "grid"));
}
END_TEST

START_TEST(all_are_frozen_but_for_exceptions)
{
    freeze(NULL, NULL);
    ck_assert(stops("a", "") && stops("b", "grid") && stops("made later", ""));
    ck_assert(freezes_lift(freezes, "a", NULL));
    ck_assert(!stops("a", "") && stops("b", ""));
    ck_assert(!freezes_lift(freezes, "a", NULL));
    freeze("a", NULL);
    ck_assert(stops("a", ""));
    ck_assert(freezes_lift(freezes, "a", NULL));
    ck_assert(!stops("a", ""));
    freeze(NULL, NULL); /* ends exceptions */
    ck_assert(stops("a", ""));
    ck_assert(freezes_lift(freezes, NULL, NULL));
    ck_assert(!stops("a", "") && !stops("b", ""));
}
END_TEST

START_TEST(a_bot_is_frozen_everywhere)
{
    freeze(NULL, "grid");
    freeze("a", NULL);
    ck_assert(stops("b", "grid") && !stops("b", "") && stops("a", ""));
    ck_assert(freezes_lift(freezes, "b", "grid"));
    ck_assert(!stops("b", "grid") && stops("c", "grid"));
    ck_assert(freezes_lift(freezes, NULL, NULL)); /* of the upstream, not of the bot */
    ck_assert(!stops("a", "") && stops("a", "grid"));
}
END_TEST

static void list_freeze(void *context, const struct freeze *z)
{
    text_printf(context, "%s%s/%s ", z->lifted ? "-" : "", z->upstream ? z->upstream : "*",
                z->bot ? z->bot : "*");
}

static void expect(const char *words, const char *upstream, bool of_bots)
{
    struct text out = {0};
    if (of_bots)
        freezes_each_bot(freezes, upstream, list_freeze, &out);
    else
        freezes_each(freezes, list_freeze, &out);
    ck_assert_str_eq(out.len ? out.at : "", words);
    text_free(&out);
}

START_TEST(all_that_is_frozen_can_be_listed)
{
    expect("", NULL, false);
    freeze(NULL, "grid");
    freeze("a", "grid");
    freeze("a", NULL);
    freeze("b", "arb");
    ck_assert(freezes_lift(freezes, "c", "grid"));
    expect("*/grid a/grid a/* b/arb -c/grid ", NULL, false);
    expect("*/grid b/arb ", NULL, true);
    expect("a/grid ", "a", true);
    expect("*/grid b/arb ", "b", true);
    expect("", "c", true);
    expect("*/grid ", "d", true);
}
END_TEST

static void restore(void *context, const struct freeze *z)
{
    freezes_restore(context, z);
}

START_TEST(what_was_saved_is_restored_in_silence)
{
    struct freezes *again = freezes_new(loop);
    freeze(NULL, NULL);
    freeze("a", "grid");
    ck_assert(freezes_lift(freezes, "b", NULL));
    freezes_watch(again, count_change, &changes);
    changes = 0;
    freezes_each(freezes, restore, again);
    freezes_each(freezes, restore, again);
    ck_assert_uint_eq(changes, 0);
    struct freezes *first = freezes;
    freezes = again;
    expect("*/* a/grid -b/* ", NULL, false);
    ck_assert_int_eq(freezes_find(again, "a", SPAN(""))->since_ms,
                     freezes_find(first, "a", SPAN(""))->since_ms);
    ck_assert(!stops("b", ""));
    freezes = first;
    freezes_free(again);
}
END_TEST

START_TEST(a_second_freeze_leaves_the_first)
{
    freeze("a", NULL);
    ck_assert(freezes_begin(freezes, "a", NULL, "another"));
    ck_assert_str_eq(freezes_find(freezes, "a", SPAN(""))->by, "a test");
    expect("a/* ", NULL, false);
}
END_TEST

START_TEST(their_number_is_bounded)
{
    char name[20];
    for (int i = 0; i < FREEZES_MAX; i++) {
        snprintf(name, sizeof name, "u%d", i);
        freeze(name, NULL);
    }
    ck_assert(!freezes_begin(freezes, "one-more", NULL, "a test"));
    ck_assert(freezes_begin(freezes, "u7", NULL, "a test"));
    ck_assert(!stops("one-more", ""));
    ck_assert(freezes_lift(freezes, NULL, NULL));
    freeze("one-more", NULL);
}
END_TEST

/* ------------------------------------------------------------------ those that wait */

struct one {
    struct freezes_entry entry;
    struct one *takes; /* leaves together with this one */
    struct one *lets;  /* and lets this one enter */
    bool stays;
    unsigned told;
};

static void on_freeze(void *owner)
{
    struct one *o = owner;
    o->told++;
    if (!o->stays)
        freezes_leave(&o->entry);
    if (o->takes)
        freezes_leave(&o->takes->entry);
    if (o->lets)
        freezes_enter(freezes, &o->lets->entry);
}

static void wait(struct one *o)
{
    o->entry = (struct freezes_entry){.on_freeze = on_freeze, .owner = o};
    freezes_enter(freezes, &o->entry);
}

START_TEST(those_that_wait_hear_of_it_at_once)
{
    struct one a = {.stays = true}, b = {0}, c = {.stays = true};
    wait(&a), wait(&b), wait(&c);
    freeze("a", NULL);
    ck_assert(a.told == 1 && b.told == 1 && c.told == 1);
    freeze("b", "grid");
    ck_assert(a.told == 2 && b.told == 1 && c.told == 2);
    freezes_leave(&a.entry);
    freezes_leave(&b.entry);
    ck_assert(freezes_lift(freezes, "a", NULL)); /* nobody need hear of that */
    ck_assert(a.told == 2 && c.told == 2);
    freezes_leave(&c.entry);
}
END_TEST

START_TEST(others_may_come_and_go_meanwhile)
{
    struct one a = {0}, b = {.stays = true}, c = {.stays = true}, late = {.stays = true};
    late.entry = (struct freezes_entry){.on_freeze = on_freeze, .owner = &late};
    wait(&a), wait(&b), wait(&c);
    a.takes = &b;
    a.lets = &late;
    freeze("a", NULL);
    ck_assert(a.told == 1 && b.told == 0 && c.told == 1);
    ck_assert_uint_eq(late.told, 0); /* it asks when it begins */
    freezes_leave(&c.entry);
    freezes_leave(&late.entry);
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(an_upstream_is_frozen_for_all);
    TEST(a_bot_is_frozen_on_one_upstream);
    TEST(all_are_frozen_but_for_exceptions);
    TEST(a_bot_is_frozen_everywhere);
    TEST(all_that_is_frozen_can_be_listed);
    TEST(what_was_saved_is_restored_in_silence);
    TEST(a_second_freeze_leaves_the_first);
    TEST(their_number_is_bounded);
    TEST(those_that_wait_hear_of_it_at_once);
    TEST(others_may_come_and_go_meanwhile);
}
