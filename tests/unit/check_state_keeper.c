/* What outlives a restart, over real pools and freezes: what is collected, what is restored and
 * where, and what a damaged or foreign file does. A restart is another set of pools. */
#include "proxy/state_keeper.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "config_fixture.h"
#include "suite.h"
#include "until.h"

static char folder[64], path[80];
static struct loop *loop;
static struct connect_env env;
static struct config *config;
static struct pools *pools;
static struct freezes *freezes;
static struct state_keeper *keeper;

#define UP(name) "upstream " name " { url = \"https://" name ".test\" }\n"

static void apply(const char *text)
{
    struct config *old = config;
    config = parse_good(text);
    struct tls_set *tls = tls_set_new(config, complain, &complaints);
    state_keeper_use(keeper, path);
    pools_apply(pools, config, tls);
    tls_set_free(tls);
    config_unref(old);
}

/* The daemon starts. */
static void start(const char *text)
{
    loop = loop_new();
    env = (struct connect_env){.loop = loop};
    pools = pools_new(&env);
    freezes = freezes_new(loop);
    keeper = state_keeper_new(loop, pools, freezes);
    apply(text);
}

static void end(void)
{
    state_keeper_free(keeper);
    pools_free(pools);
    freezes_free(freezes);
    config_unref(config);
    config = NULL;
    loop_run(loop);
    loop_free(loop);
}

static void begin(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    tls_start();
    snprintf(folder, sizeof folder, "/tmp/check_state_keeper.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/state.json", folder);
}

static void finish(void)
{
    char command[100];
    end();
    forget();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct pool *listed(const char *name)
{
    return pools_find(pools, find(config, name), NULL);
}

static struct pool *unlisted(const char *host)
{
    struct origin o = {.secure = true, .host = span_of(host), .port = 443};
    return pools_find(pools, NULL, &o);
}

static void limit(struct pool *p, unsigned status, int seconds, uint64_t credential)
{
    struct gate_limit l = {.status = status,
                           .asked_ms = seconds * 1000,
                           .is_private = credential != 0,
                           .credential = credential,
                           .bot = "grid1",
                           .path = SPAN("/order")};
    gate_limit(pool_ways(p)->at[0]->gate, &l);
}

static struct gate_view look(struct pool *p)
{
    struct gate_view v;
    gate_describe(pool_ways(p)->at[0]->gate, &v);
    return v;
}

static void put(const char *content)
{
    FILE *f = fopen(path, "w");
    fputs(content, f);
    fclose(f);
}

static bool says(const char *words)
{
    struct text t = {0};
    struct file_mark unused;
    bool found = whole_file_read(path, &t, &unused) == 0 && t.len && strstr(t.at, words);
    text_free(&t);
    return found;
}

START_TEST(holds_and_weights_come_back)
{
    start(UP("a") UP("b"));
    limit(listed("a"), 418, 300, 0);
    limit(listed("b"), 429, 200, 9);
    gate_weigh(pool_ways(listed("b"))->at[0]->gate, SPAN("42"), loop_wall_s(loop), NULL);
    int64_t left = 60 - loop_wall_s(loop) % 60;
    end();
    start(UP("b") UP("a"));
    struct gate_view a = look(listed("a")), b = look(listed("b"));
    ck_assert(a.held_ms > 290000 && a.held_ms <= 300000);
    ck_assert_uint_eq(a.hold_count, 1);
    ck_assert_str_eq(a.holds[0].held, "all");
    ck_assert_str_eq(a.holds[0].bot, "grid1");
    ck_assert_str_eq(a.holds[0].path, "/order");
    ck_assert_uint_eq(b.held_ms, 0);
    ck_assert_str_eq(b.holds[0].held, "credential");
    ck_assert(b.weight_used == 42 || left < 10);
    ck_assert_ptr_null(state_keeper_view(keeper).damage);
}
END_TEST

START_TEST(an_unlisted_host_stays_banned)
{
    start("");
    limit(unlisted("strange.test"), 418, 300, 0);
    end();
    start("");
    ck_assert_uint_gt(look(unlisted("strange.test")).held_ms, 290000);
    ck_assert_uint_eq(look(unlisted("other.test")).held_ms, 0);
    end();
    start(UP("strange")); /* it has a block now */
    ck_assert_uint_gt(look(listed("strange")).held_ms, 290000);
}
END_TEST

/* The file keeps it for the block that is gone, while other things are written. */
START_TEST(what_belongs_to_a_block_that_is_gone_is_kept)
{
    start(UP("a") UP("b"));
    limit(listed("a"), 418, 300, 0);
    end();
    start(UP("b"));
    limit(listed("b"), 418, 300, 0);
    end();
    start(UP("b"));
    apply(UP("b") UP("a"));
    ck_assert_uint_gt(look(listed("a")).held_ms, 290000);
    ck_assert_uint_gt(look(listed("b")).held_ms, 290000);
    gate_resume(pool_ways(listed("a"))->at[0]->gate);
    apply(UP("b"));
    apply(UP("b") UP("a"));
    end();
    start(UP("a"));
    ck_assert_uint_eq(look(listed("a")).held_ms, 0);
}
END_TEST

START_TEST(freezes_come_back)
{
    start(UP("a"));
    ck_assert(freezes_begin(freezes, "a", "grid1", "me"));
    ck_assert(freezes_begin(freezes, "gone", NULL, "me"));
    end();
    start(UP("a"));
    ck_assert_ptr_nonnull(freezes_find(freezes, "a", SPAN("grid1")));
    ck_assert_ptr_null(freezes_find(freezes, "a", SPAN("grid2")));
    ck_assert_ptr_nonnull(freezes_find(freezes, "gone", SPAN("")));
    ck_assert_str_eq(freezes_find(freezes, "a", SPAN("grid1"))->by, "me");
    ck_assert(freezes_lift(freezes, "a", "grid1"));
    end();
    start(UP("a"));
    ck_assert_ptr_null(freezes_find(freezes, "a", SPAN("grid1")));
}
END_TEST

struct asker {
    struct save_waiter waiter;
    bool heard, saved;
};

static void done(struct save_waiter *w, bool saved)
{
    struct asker *a = container_of(w, struct asker, waiter);
    a->heard = true;
    a->saved = saved;
}

START_TEST(a_verb_hears_when_it_is_saved)
{
    struct asker a = {.waiter.done = done};
    start(UP("a"));
    ck_assert(freezes_begin(freezes, NULL, NULL, "me"));
    ck_assert(state_keeper_save(keeper, &a.waiter));
    UNTIL(a.heard);
    ck_assert(a.saved && says("\"by\": \"me\""));
    ck_assert(!state_keeper_save(keeper, &a.waiter));
}
END_TEST

START_TEST(a_first_start_freezes_nothing)
{
    start(UP("a"));
    ck_assert_ptr_null(freezes_find(freezes, "a", SPAN("")));
    ck_assert_ptr_null(state_keeper_view(keeper).damage);
    UNTIL(says("\"trunkline_state\": 1"));
}
END_TEST

START_TEST(a_damaged_file_freezes_everything)
{
    put("{\"trunkline_state\":1,\"upstr");
    start(UP("a"));
    struct state_view v = state_keeper_view(keeper);
    ck_assert_ptr_nonnull(v.damage);
    ck_assert_ptr_nonnull(v.file.aside);
    ck_assert_ptr_nonnull(freezes_find(freezes, "a", SPAN("")));
    ck_assert_ptr_nonnull(freezes_find(freezes, "yet to come", SPAN("grid1")));
    end();
    start(UP("a")); /* also after one more restart */
    ck_assert_ptr_null(state_keeper_view(keeper).damage);
    ck_assert_ptr_nonnull(freezes_find(freezes, "a", SPAN("")));
    freezes_lift(freezes, NULL, NULL);
    end();
    start(UP("a"));
    ck_assert_ptr_null(freezes_find(freezes, "a", SPAN("")));
}
END_TEST

#define FILE_OF(changed, freezes, held)                                                            \
    "{\"trunkline_state\":1,\"freezes_changed_ms\":" changed ",\"freezes\":[" freezes              \
    "],\"upstreams\":[{\"name\":\"a\",\"lifted_ms\":0,\"weight\":null,\"holds\":[" held "]}]}"
#define FREEZE(upstream)                                                                           \
    "{\"upstream\":" upstream ",\"bot\":null,\"by\":\"them\",\"since_ms\":1,\"lifted\":false}"
#define LATER "9000000000000"

/* Another daemon has written the file, with a ban and later freezes. */
START_TEST(what_another_daemon_wrote_is_taken_over)
{
    start(UP("a") UP("b") UP("c"));
    ck_assert(freezes_begin(freezes, "b", NULL, "me"));
    UNTIL(says("\"by\": \"me\""));
    put(FILE_OF(LATER, FREEZE("\"c\""),
                "{\"held\":\"all\",\"credential\":null,\"status\":418,\"bot\":null,\"path\":null,"
                "\"until_ms\":" LATER ",\"lasts_ms\":60000,\"step_ms\":0}"));
    limit(listed("b"), 429, 30, 0);
    UNTIL(says("429"));
    ck_assert(says("418"));
    uint64_t held = look(listed("a")).held_ms;
    ck_assert(held > 50000 && held <= 60000);
    ck_assert_ptr_null(freezes_find(freezes, "b", SPAN("")));
    ck_assert_ptr_nonnull(freezes_find(freezes, "c", SPAN("")));
}
END_TEST

START_TEST(freezes_of_before_are_not_taken_over)
{
    start(UP("a") UP("b"));
    ck_assert(freezes_begin(freezes, "b", NULL, "me"));
    UNTIL(says("\"by\": \"me\""));
    put(FILE_OF("1", FREEZE("null"), ""));
    limit(listed("b"), 429, 30, 0);
    UNTIL(says("429"));
    ck_assert_ptr_nonnull(freezes_find(freezes, "b", SPAN("")));
    ck_assert_ptr_null(freezes_find(freezes, "a", SPAN("")));
}
END_TEST

START_TEST(the_path_changes)
{
    char first[80];
    start(UP("a"));
    limit(listed("a"), 418, 300, 0);
    UNTIL(says("418"));
    memcpy(first, path, sizeof first);
    snprintf(path, sizeof path, "%s/moved.json", folder);
    state_keeper_use(keeper, path);
    UNTIL(says("418"));
    ck_assert_str_eq(state_keeper_view(keeper).file.path, path);
    state_keeper_use(keeper, NULL);
    ck_assert_ptr_null(state_keeper_view(keeper).file.path);
    ck_assert_int_eq(unlink(path), 0);
    gate_resume(pool_ways(listed("a"))->at[0]->gate);
    turn_for(loop, 50);
    ck_assert_int_eq(access(path, F_OK), -1);
    state_keeper_use(keeper, first); /* what it has is older than the resume */
    UNTIL(!says("418"));
    ck_assert_uint_eq(look(listed("a")).held_ms, 0);
}
END_TEST

START_TEST(the_path_of_the_directive)
{
    char buffer[PATH_MAX], error[200];
    start("");
    unsetenv("STATE_DIRECTORY");
    ck_assert_ptr_null(state_keeper_path(NULL, buffer));
    ck_assert_ptr_null(state_keeper_path("off", buffer));
    ck_assert_str_eq(state_keeper_path("/x/y", buffer), "/x/y");
    setenv("STATE_DIRECTORY", "/var/lib/trunkline:/var/lib/more", 1);
    ck_assert_str_eq(state_keeper_path(NULL, buffer), "/var/lib/trunkline/state.json");
    ck_assert_ptr_null(state_keeper_path("off", buffer));
    unsetenv("STATE_DIRECTORY");
    ck_assert(state_keeper_check(NULL, error, sizeof error));
    ck_assert(state_keeper_check(path, error, sizeof error));
    ck_assert(!state_keeper_check("/nonexistent/x", error, sizeof error));
    ck_assert_str_eq(error, "/nonexistent/x: cannot be written: No such file or directory");
}
END_TEST

SUITE()
{
    FIXTURE(begin, finish);
    TEST(holds_and_weights_come_back);
    TEST(an_unlisted_host_stays_banned);
    TEST(what_belongs_to_a_block_that_is_gone_is_kept);
    TEST(freezes_come_back);
    TEST(a_verb_hears_when_it_is_saved);
    TEST(a_first_start_freezes_nothing);
    TEST(a_damaged_file_freezes_everything);
    TEST(what_another_daemon_wrote_is_taken_over);
    TEST(freezes_of_before_are_not_taken_over);
    TEST(the_path_changes);
    TEST(the_path_of_the_directive);
}
