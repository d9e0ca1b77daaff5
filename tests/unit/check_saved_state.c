/* The state file as text: that it reads back to the same, that whatever else is refused with a
 * reason, and how two of them are merged. */
#include "proxy/saved_state.h"

#include <stdio.h>

#include "budget/credential.h"
#include "suite.h"

#define NOW INT64_C(1764230400000)

static struct saved_state state, other;
static char why[SAVED_STATE_WHY];
static struct text text;

static void begin(void)
{
    state = other = (struct saved_state){0};
    *why = '\0';
}

static void finish(void)
{
    saved_state_free(&state);
    saved_state_free(&other);
    text_free(&text);
}

static void hold(struct saved_budget *b, enum hold_scope scope, uint64_t credential, int64_t began,
                 uint64_t lasts)
{
    struct saved_hold h = {.scope = scope,
                           .credential = credential,
                           .status = 429,
                           .until_ms = began + (int64_t)lasts,
                           .lasts_ms = lasts};
    snprintf(h.bot, sizeof h.bot, "grid1");
    snprintf(h.path, sizeof h.path, "/api/v3/order");
    saved_budget_add(b, &h);
}

static void weigh(struct saved_budget *b, int64_t weight, int64_t until)
{
    b->weight = weight;
    b->weight_most = weight + 1;
    b->weight_until_ms = until;
}

static void freeze(struct saved_state *s, const char *upstream, const char *bot, bool lifted)
{
    struct freeze f = {upstream, bot, "127.0.0.1:9", NOW, lifted};
    saved_state_add_freeze(s, &f);
}

static bool parse(const char *words)
{
    saved_state_free(&other);
    return saved_state_parse(&other, span_of(words), why);
}

START_TEST(it_reads_back_to_the_same)
{
    uint64_t credential = credential_of(SPAN("k3y"));
    struct saved_budget *b = saved_state_budget(&state, "binance");
    hold(b, HOLD_ALL, 0, NOW, 60000);
    hold(b, HOLD_PUBLIC, 0, NOW, 1000);
    hold(b, HOLD_CREDENTIAL, credential, NOW, 2000);
    hold(b, HOLD_CREDENTIAL, CREDENTIAL_NONE, NOW, 3000);
    b->holds[1].step_ms = 1000;
    b->lifted_ms = NOW - 5;
    weigh(b, 4980, NOW + 20000);
    b->weight_lifted = true;
    saved_state_budget(&state, "https://stranger.test:443");
    b = saved_state_budget(&state, "binance");
    freeze(&state, NULL, NULL, false);
    freeze(&state, "kraken", NULL, true);
    freeze(&state, "okx", "grid\"1", false);
    state.freezes_changed_ms = NOW;
    saved_state_print(&state, &text);
    ck_assert_msg(parse(text.at), "%s", why);

    ck_assert_uint_eq(other.budget_count, 2);
    const struct saved_budget *o = saved_state_find(&other, "binance");
    ck_assert_uint_eq(o->hold_count, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_mem_eq(&o->holds[i], &b->holds[i], sizeof o->holds[i]);
    ck_assert_uint_eq(o->holds[2].credential, credential);
    ck_assert_int_eq(o->lifted_ms, b->lifted_ms);
    ck_assert_int_eq(o->weight, 4980);
    ck_assert_int_eq(o->weight_most, 4981);
    ck_assert_int_eq(o->weight_until_ms, NOW + 20000);
    ck_assert(o->weight_lifted);
    ck_assert_int_eq(saved_state_find(&other, "https://stranger.test:443")->weight, -1);
    ck_assert_ptr_null(saved_state_find(&other, "nosuch"));
    ck_assert_uint_eq(other.freeze_count, 3);
    ck_assert_int_eq(other.freezes_changed_ms, NOW);
    ck_assert(saved_state_freeze(&other, "kraken", NULL)->lifted);
    ck_assert(!saved_state_freeze(&other, NULL, NULL)->lifted);
    ck_assert_str_eq(saved_state_freeze(&other, "okx", "grid\"1")->by, "127.0.0.1:9");
    ck_assert_ptr_null(saved_state_freeze(&other, "okx", NULL));
}
END_TEST

/* The hash of a key is in the file, the key itself nowhere. */
START_TEST(no_key_is_written)
{
    hold(saved_state_budget(&state, "ex"), HOLD_CREDENTIAL, credential_of(SPAN("k3y-secret")), NOW,
         1000);
    saved_state_print(&state, &text);
    ck_assert_ptr_null(strstr(text.at, "k3y"));
}
END_TEST

START_TEST(an_empty_state_is_fine)
{
    saved_state_print(&state, &text);
    ck_assert_msg(parse(text.at), "%s", why);
    ck_assert_uint_eq(other.budget_count + other.freeze_count, 0);
}
END_TEST

/* Cut off anywhere, it is refused, and nothing of it is kept. */
START_TEST(half_a_file_is_refused)
{
    struct saved_budget *b = saved_state_budget(&state, "ex");
    hold(b, HOLD_ALL, 0, NOW, 1000);
    freeze(&state, "ex", "grid1", false);
    saved_state_print(&state, &text);
    for (size_t cut = 0; cut + 1 < text.len; cut++) {
        *why = '\0';
        ck_assert_msg(!saved_state_parse(&other, span_first(text_span(&text), cut), why), "%zu",
                      cut);
        ck_assert_str_ne(why, "");
        ck_assert_uint_eq(other.budget_count + other.freeze_count, 0);
    }
}
END_TEST

#define BEGIN "{\"trunkline_state\":1,\"freezes_changed_ms\":0,"
#define FREEZES "\"freezes\":[],"
#define HELD(hold)                                                                                 \
    BEGIN FREEZES                                                                                  \
        "\"upstreams\":[{\"name\":\"a\",\"lifted_ms\":0,\"weight\":null,\"holds\":[" hold "]}]}"
#define HOLD(held, credential, status, bot, until, lasts, step)                                    \
    HELD("{\"held\":" held ",\"credential\":" credential ",\"status\":" status ",\"bot\":" bot     \
         ",\"path\":null,\"until_ms\":" until ",\"lasts_ms\":" lasts ",\"step_ms\":" step "}")
#define UPSTREAM(name, lifted, weight)                                                             \
    BEGIN FREEZES "\"upstreams\":[{\"name\":" name ",\"lifted_ms\":" lifted ",\"weight\":" weight  \
                  ",\"holds\":[]}]}"
#define WEIGHT(used, until) "{\"used\":" used ",\"most\":1,\"until_ms\":" until ",\"lifted\":false}"
#define FROZEN(freeze) BEGIN "\"freezes\":[" freeze "],\"upstreams\":[]}"

static const struct {
    const char *text, *reason; /* NULL: it is fine */
} files[] = {
    {"", "line"},
    {"null", "line"},
    {"[]", "not a state file"},
    {"{}", "not a state file"},
    {"{\"trunkline_state\":\"1\"}", "not a state file"},
    {"{\"trunkline_state\":2}", "another version of trunkline (format 2)"},
    {"{\"trunkline_state\":0}", "another version"},
    {"{\"trunkline_state\":1}", "upstreams: not a list"},
    {BEGIN FREEZES "\"upstreams\":[]}", NULL},
    {BEGIN FREEZES "\"upstreams\":[],\"later\":{\"keys\":[1]}}", NULL},
    {BEGIN FREEZES "\"upstreams\":[],\"upstreams\":[]}", "line"},
    {BEGIN FREEZES "\"upstreams\":[]} x", "line"},
    {BEGIN FREEZES "\"upstreams\":[]", "line"},
    {"\xff" BEGIN FREEZES "\"upstreams\":[]}", "line"},
    {BEGIN FREEZES "\"upstreams\":{}}", "upstreams: not a list"},
    {BEGIN FREEZES "\"upstreams\":[1]}", "name"},
    {"{\"trunkline_state\":1,\"freezes_changed_ms\":-1," FREEZES "\"upstreams\":[]}",
     "freezes_changed_ms"},
    {UPSTREAM("\"a\"", "0", "null"), NULL},
    {UPSTREAM("\"\"", "0", "null"), "name"},
    {UPSTREAM("null", "0", "null"), "name"},
    {UPSTREAM("\"a\\u0000b\"", "0", "null"), "line"},
    {UPSTREAM("\"a\"", "-1", "null"), "lifted_ms: out of range"},
    {UPSTREAM("\"a\"", "1e300", "null"), "lifted_ms: not a whole number"},
    {UPSTREAM("\"a\"", "99999999999999999999", "null"), "line"},
    {UPSTREAM("\"a\"", "0", WEIGHT("5", "9")), NULL},
    {UPSTREAM("\"a\"", "0", WEIGHT("-5", "9")), "used: out of range"},
    {UPSTREAM("\"a\"", "0", WEIGHT("null", "9")), "used: not a whole number"},
    {UPSTREAM("\"a\"", "0", "7"), "weight"},
    {HOLD("\"all\"", "null", "418", "null", "1", "2", "3"), NULL},
    {HOLD("\"all\"", "null", "418", "\"b\"", "9223372036854775807", "3600000", "0"), NULL},
    {HOLD("\"some\"", "null", "418", "null", "1", "2", "3"), "held: no such word"},
    {HOLD("7", "null", "418", "null", "1", "2", "3"), "held"},
    {HOLD("\"credential\"", "null", "418", "null", "1", "2", "3"), "credential"},
    {HOLD("\"credential\"", "\"xyz\"", "418", "null", "1", "2", "3"), "credential"},
    {HOLD("\"credential\"", "\"none\"", "418", "null", "1", "2", "3"), NULL},
    {HOLD("\"all\"", "null", "0", "null", "1", "2", "3"), "status: out of range"},
    {HOLD("\"all\"", "null", "4180", "null", "1", "2", "3"), "status: out of range"},
    {HOLD("\"all\"", "null", "418", "[]", "1", "2", "3"), "bot"},
    {HOLD("\"all\"", "null", "418",
          "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaa\"",
          "1", "2", "3"),
     "bot: too long"},
    {HOLD("\"all\"", "null", "418", "null", "-1", "2", "3"), "until_ms: out of range"},
    {HOLD("\"all\"", "null", "418", "null", "1", "3600001", "3"), "lasts_ms: out of range"},
    {HOLD("\"all\"", "null", "418", "null", "1", "2", "true"), "step_ms: not a whole number"},
    {FROZEN("{\"upstream\":null,\"bot\":null,\"by\":null,\"since_ms\":0,\"lifted\":false}"), NULL},
    {FROZEN("{\"upstream\":null,\"bot\":null,\"by\":null,\"since_ms\":0}"), "lifted"},
    {FROZEN("{\"upstream\":3,\"bot\":null,\"by\":null,\"since_ms\":0,\"lifted\":false}"),
     "upstream"},
    {FROZEN("{\"bot\":null,\"by\":null,\"since_ms\":0,\"lifted\":false}"), "upstream"},
    {FROZEN("\"all\""), "upstream"},
};

START_TEST(whatever_else_is_refused_with_a_reason)
{
    bool good = parse(files[_i].text);
    if (files[_i].reason == NULL) {
        ck_assert_msg(good, "%s: %s", files[_i].text, why);
        return;
    }
    ck_assert_msg(!good, "%s", files[_i].text);
    ck_assert_msg(strstr(why, files[_i].reason) != NULL, "%s: %s", files[_i].text, why);
    ck_assert_uint_eq(other.budget_count + other.freeze_count, 0);
}
END_TEST

START_TEST(a_file_takes_no_more_memory_than_it_may)
{
    text_add_str(&text, BEGIN FREEZES "\"upstreams\":[{}");
    for (int i = 0; i < SAVED_UPSTREAMS_MOST; i++)
        text_add_str(&text, ",{}");
    text_add_str(&text, "]}");
    ck_assert(!parse(text.at));
    ck_assert_str_eq(why, "upstreams: too long");
}
END_TEST

START_TEST(as_many_as_there_may_be_are_read)
{
    char name[20];
    for (int i = 0; i < SAVED_UPSTREAMS_MOST; i++) {
        snprintf(name, sizeof name, "u%d", i);
        weigh(saved_state_budget(&state, name), i, NOW + 1000);
    }
    saved_state_print(&state, &text);
    ck_assert_msg(parse(text.at), "%s", why);
    ck_assert_uint_eq(other.budget_count, SAVED_UPSTREAMS_MOST);
}
END_TEST

START_TEST(no_weight_used_is_a_weight)
{
    weigh(saved_state_budget(&state, "ex"), 0, NOW + 1000);
    saved_state_tidy(&state, NOW);
    ck_assert_uint_eq(state.budget_count, 1);
}
END_TEST

START_TEST(merging_keeps_the_later_end)
{
    struct saved_budget *a = saved_state_budget(&state, "ex"),
                        *b = saved_state_budget(&other, "ex");
    hold(a, HOLD_ALL, 0, NOW, 1000);
    hold(b, HOLD_ALL, 0, NOW, 5000);
    hold(b, HOLD_PUBLIC, 0, NOW, 700);
    hold(a, HOLD_CREDENTIAL, 7, NOW, 9000);
    hold(b, HOLD_CREDENTIAL, 7, NOW, 800);
    hold(b, HOLD_CREDENTIAL, 8, NOW, 600);
    hold(saved_state_budget(&other, "alt"), HOLD_ALL, 0, NOW, 100);
    saved_state_merge(&state, &other);
    a = saved_state_budget(&state, "ex");
    ck_assert_uint_eq(a->hold_count, 4);
    ck_assert_int_eq(a->holds[0].until_ms, NOW + 5000);
    ck_assert_int_eq(a->holds[1].until_ms, NOW + 9000);
    ck_assert_uint_eq(saved_state_find(&state, "alt")->hold_count, 1);
}
END_TEST

/* An operator ended the holds in one daemon: they do not come back from the other. */
START_TEST(merging_does_not_undo_a_resume)
{
    struct saved_budget *a = saved_state_budget(&state, "ex"),
                        *b = saved_state_budget(&other, "ex");
    a->lifted_ms = NOW;
    hold(b, HOLD_ALL, 0, NOW - 10, 60000);
    hold(b, HOLD_PUBLIC, 0, NOW + 10, 1000);
    saved_state_merge(&state, &other);
    a = saved_state_budget(&state, "ex");
    ck_assert_uint_eq(a->hold_count, 1);
    ck_assert_int_eq(a->holds[0].scope, HOLD_PUBLIC);
    saved_state_merge(&other, &state);
    b = saved_state_budget(&other, "ex");
    ck_assert_uint_eq(b->hold_count, 1);
    ck_assert_int_eq(b->lifted_ms, NOW);
}
END_TEST

START_TEST(merging_keeps_the_weight_of_the_later_minute)
{
    weigh(saved_state_budget(&state, "ex"), 100, NOW);
    weigh(saved_state_budget(&other, "ex"), 50, NOW + 60000);
    weigh(saved_state_budget(&other, "alt"), 7, NOW);
    saved_state_merge(&state, &other);
    ck_assert_int_eq(saved_state_find(&state, "ex")->weight, 50);
    ck_assert_int_eq(saved_state_find(&state, "alt")->weight, 7);
    weigh(saved_state_budget(&other, "ex"), 1, NOW);
    saved_state_merge(&state, &other);
    ck_assert_int_eq(saved_state_find(&state, "ex")->weight, 50);
}
END_TEST

START_TEST(merging_keeps_the_freezes_that_changed_last)
{
    freeze(&state, "a", NULL, false);
    freeze(&other, "b", NULL, false);
    state.freezes_changed_ms = 5;
    other.freezes_changed_ms = 4;
    saved_state_merge(&state, &other);
    ck_assert_uint_eq(state.freeze_count, 1);
    ck_assert_ptr_nonnull(saved_state_freeze(&state, "a", NULL));
    other.freezes_changed_ms = 6;
    saved_state_merge(&state, &other);
    ck_assert_uint_eq(state.freeze_count, 1);
    ck_assert_ptr_nonnull(saved_state_freeze(&state, "b", NULL));
}
END_TEST

START_TEST(what_is_over_is_dropped)
{
    struct saved_budget *b = saved_state_budget(&state, "ex");
    hold(b, HOLD_ALL, 0, NOW, 1000);
    hold(b, HOLD_PUBLIC, 0, NOW, 1000);
    b->holds[1].step_ms = 1000; /* the next one will last longer */
    weigh(b, 5, NOW + 1000);
    b->lifted_ms = NOW;
    saved_state_budget(&state, "nothing");
    freeze(&state, "gone", NULL, false);
    saved_state_tidy(&state, NOW + 999);
    ck_assert_uint_eq(state.budget_count, 1);
    ck_assert_uint_eq(state.budgets[0].hold_count, 2);
    ck_assert_int_eq(state.budgets[0].weight, 5);
    saved_state_tidy(&state, NOW + 1000);
    ck_assert_uint_eq(state.budgets[0].hold_count, 1);
    ck_assert_int_eq(state.budgets[0].weight, -1);
    saved_state_tidy(&state, NOW + 61000);
    ck_assert_uint_eq(state.budgets[0].hold_count, 0);
    saved_state_tidy(&state, NOW + 3600000);
    ck_assert_uint_eq(state.budget_count, 0);
    ck_assert_uint_eq(state.freeze_count, 1); /* until it is lifted */
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(it_reads_back_to_the_same);
    TEST(no_key_is_written);
    TEST(an_empty_state_is_fine);
    TEST(half_a_file_is_refused);
    LOOP(whatever_else_is_refused_with_a_reason, 0, COUNT_OF(files));
    TEST(a_file_takes_no_more_memory_than_it_may);
    TEST(as_many_as_there_may_be_are_read);
    TEST(no_weight_used_is_a_weight);
    TEST(merging_keeps_the_later_end);
    TEST(merging_does_not_undo_a_resume);
    TEST(merging_keeps_the_weight_of_the_later_minute);
    TEST(merging_keeps_the_freezes_that_changed_last);
    TEST(what_is_over_is_dropped);
}
