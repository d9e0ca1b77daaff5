/* The operator's commands and the reload as pages: which callers may use them, what is done, and
 * what the response is. */
#include "admin_fixture.h"
#include "pages/caller.h"
#include "suite.h"

static int commanded = -1;

static bool commanded_all;

static char said_by[CALLER_SIZE];

static char commanded_bot[80];
static size_t open_tunnels;

static enum admin_outcome command(void *context, struct admin_command *c)
{
    snprintf(said_by, sizeof said_by, "%s", c->who);
    ck_assert_ptr_eq(context, &admin);
    if (admin.draining)
        return ADMIN_DRAINING;
    if (c->upstream.len && !span_is(c->upstream, SPAN("binance")))
        return ADMIN_UNKNOWN;
    commanded = c->verb;
    commanded_all = c->upstream.len == 0;
    snprintf(commanded_bot, sizeof commanded_bot, "%.*s", SPAN_ARG(c->bot));
    c->tunnels = open_tunnels;
    return ADMIN_DONE;
}

static struct reload_waiter *waiting;

static void reload(void *context, struct reload_waiter *w, const char *who)
{
    ck_assert_ptr_eq(context, &admin);
    snprintf(said_by, sizeof said_by, "%s", who);
    waiting = w;
}

/* The outcome that is reported as soon as a reload is requested. */
static enum reload_outcome reload_outcome;
static const char *reload_errors = "";

static void end_reload(const struct answer *a)
{
    struct reload_waiter *w = waiting;
    ck_assert(!w || a->status == 0);
    waiting = NULL;
    if (w)
        w->done(w, reload_outcome, span_of(reload_errors));
}

/* The verb that waits for the state file; NULL: none does. */
static struct save_waiter *unsaved;
static bool is_unsaved;

static bool save(void *context, struct save_waiter *w)
{
    ck_assert_ptr_eq(context, &admin);
    if (is_unsaved) {
        deadline_init(&w->late, loop, NULL);
        unsaved = w;
    }
    return is_unsaved;
}

static bool saved_in_time;

static void end_save(const struct answer *a)
{
    ck_assert_uint_eq(a->status, 0);
    unsaved->done(unsaved, saved_in_time);
    unsaved = NULL;
}

static void setup(void)
{
    loop = loop_new();
    is_unsaved = false;
    unsaved = NULL;
    meanwhile = end_reload;
    reload_outcome = RELOAD_DONE;
    reload_errors = "";
    admin = (struct admin){.loop = loop,
                           .pools = &pools,
                           .command = command,
                           .save = save,
                           .reload = reload,
                           .context = &admin};
}

static void teardown(void)
{
    loop_free(loop);
}

START_TEST(verbs_are_for_callers_on_this_machine)
{
    expect("POST", "/upstreams/binance/pause", 204, "", "");
    ck_assert_int_eq(commanded, POOL_PAUSE);
    ck_assert_str_eq(said_by, "127.0.0.1:9");
    expect("POST", "/upstreams/binance/explode", 404, "Trunkline-Sent: no\n", "pause, resume");
    expect("POST", "/upstreams/nosuch/drain", 404, "Trunkline-Sent: no\n", "no upstream");
    local.is_loopback = false;
    expect("POST", "/upstreams/binance/resume", 403, "Trunkline-Sent: no\n", "this machine");
    expect("POST", "/upstreams/drain", 403, "Trunkline-Sent: no\n", "this machine");
    local.is_loopback = true;
    ck_assert_int_eq(commanded, POOL_PAUSE);
    ck_assert(!commanded_all);
    admin.draining = true;
    expect("POST", "/upstreams/binance/resume", 503, "Trunkline-Sent: no\n", "shutting down");
}
END_TEST

/* The response is sent when the outcome is known, and reports that outcome. */
START_TEST(a_reload_tells_its_outcome)
{
    expect("POST", "/reload", 204, "", "");
    ck_assert_str_eq(said_by, "127.0.0.1:9");
    reload_outcome = RELOAD_REFUSED;
    reload_errors = "/t.conf:3: no\n/t.conf:4: never\n";
    expect("POST", "/reload", 409, "Content-Type: text/plain; charset=utf-8\n", reload_errors);
    reload_outcome = RELOAD_TOO_LATE;
    expect("POST", "/reload", 503, "Trunkline-Sent: no\n", "shutting down");
    *said_by = '\0';
    expect("GET", "/reload", 405, "Allow: POST\n", "");
    local.is_loopback = false;
    expect("POST", "/reload", 403, "Trunkline-Sent: no\n", "this machine");
    local.is_loopback = true;
    admin.draining = true;
    expect("POST", "/reload", 503, "Trunkline-Sent: no\n", "shutting down");
    ck_assert_str_eq(said_by, ""); /* no reload was requested */
}
END_TEST

START_TEST(who_waits_for_a_reload_may_go)
{
    static const struct exchange_events none;
    struct list waiters;
    struct request r = {
        .arena = arena_new(), .method = SPAN("POST"), .target = SPAN("/reload"), .minor = 1};
    struct route route = {.kind = ROUTE_PAGE, .path = SPAN("/reload")};
    list_init(&waiters);
    struct exchange *x = admin_open(&admin, &r, &local, &route, &none, NULL);
    list_push_back(&waiters, &waiting->link);
    exchange_cancel(x);
    ck_assert_uint_eq(waiters.count, 0);
    waiting = NULL;
    loop_turn(loop, false);
    arena_free(r.arena);
}
END_TEST

/* A missing name is different from an empty one. */
START_TEST(verbs_without_a_name_mean_all)
{
    expect("POST", "/upstreams/drain", 204, "", "");
    ck_assert(commanded_all && commanded == POOL_DRAIN);
    expect("GET", "/upstreams/resume", 405, "Allow: POST\n", "");
    commanded_all = false;
    expect("POST", "/upstreams//pause", 404, "", "known: ");
    expect("POST", "/upstreams/explode", 404, "", "known: ");
    expect("POST", "/upstreams/binance/", 404, "", "known: ");
    ck_assert(!commanded_all);
}
END_TEST

START_TEST(a_bot_may_be_named_to_freeze_and_unfreeze)
{
    expect("POST", "/upstreams/binance/freeze?bot=grid%2B1", 204, "", "");
    ck_assert(commanded == POOL_FREEZE && !commanded_all);
    ck_assert_str_eq(commanded_bot, "grid+1");
    expect("POST", "/upstreams/unfreeze?bot=grid1", 204, "", "");
    ck_assert(commanded == POOL_UNFREEZE && commanded_all);
    ck_assert_str_eq(commanded_bot, "grid1");
    expect("POST", "/upstreams/freeze", 204, "", "");
    ck_assert_str_eq(commanded_bot, "");
    commanded = -1;
    static const char *const wrong[] = {"/upstreams/binance/pause?bot=grid1",
                                        "/upstreams/binance/unfreeze?bots=grid1",
                                        "/upstreams/binance/unfreeze?bot=",
                                        "/upstreams/binance/unfreeze?bot=a%20b",
                                        "/upstreams/binance/unfreeze?bot=a&b=c",
                                        "/upstreams/unfreeze?bot=a%00",
                                        "/upstreams/unfreeze?"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        expect("POST", wrong[i], 400, "Trunkline-Sent: no\n", "?bot=NAME");
    ck_assert_int_eq(commanded, -1);
}
END_TEST

START_TEST(a_freeze_tells_of_the_tunnels_that_it_cannot_stop)
{
    open_tunnels = 0;
    struct answer a = ask("POST", "/upstreams/binance/freeze");
    ck_assert_ptr_null(strstr(a.fields, "Tunnels"));
    text_free(&a.body);
    open_tunnels = 3;
    expect("POST", "/upstreams/binance/freeze", 204, "Trunkline-Open-Tunnels: 3\n", "");
    is_unsaved = saved_in_time = true;
    meanwhile = end_save;
    expect("POST", "/upstreams/freeze", 204, "Trunkline-Open-Tunnels: 3\n", "");
    open_tunnels = 0;
}
END_TEST

/* The response is sent when the state file has what the verb changed. */
START_TEST(a_verb_waits_for_the_state_file)
{
    is_unsaved = saved_in_time = true;
    meanwhile = end_save;
    struct answer a = ask("POST", "/upstreams/binance/resume");
    ck_assert_uint_eq(a.status, 204);
    ck_assert_str_eq(a.fields, "");
    text_free(&a.body);
    saved_in_time = false;
    expect("POST", "/upstreams/resume", 204, "Trunkline-Saved: no\n", "");
}
END_TEST

START_TEST(a_client_that_waits_for_the_state_file_may_disconnect)
{
    static const struct exchange_events none;
    struct list waiters;
    struct request r = {.arena = arena_new(), .method = SPAN("POST"), .minor = 1};
    struct route route = {.kind = ROUTE_PAGE, .path = SPAN("/upstreams/resume")};
    is_unsaved = true;
    list_init(&waiters);
    struct exchange *x = admin_open(&admin, &r, &local, &route, &none, NULL);
    list_push_back(&waiters, &unsaved->link);
    exchange_cancel(x);
    ck_assert_uint_eq(waiters.count, 0);
    loop_turn(loop, false);
    arena_free(r.arena);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(verbs_are_for_callers_on_this_machine);
    TEST(verbs_without_a_name_mean_all);
    TEST(a_bot_may_be_named_to_freeze_and_unfreeze);
    TEST(a_freeze_tells_of_the_tunnels_that_it_cannot_stop);
    TEST(a_reload_tells_its_outcome);
    TEST(who_waits_for_a_reload_may_go);
    TEST(a_verb_waits_for_the_state_file);
    TEST(a_client_that_waits_for_the_state_file_may_disconnect);
}
