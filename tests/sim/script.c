#include "tests/sim/script.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/sim/admin.h"
#include "tests/sim/book.h"
#include "tests/sim/budget.h"
#include "tests/sim/client.h"
#include "tests/sim/disk.h"
#include "tests/sim/exits.h"
#include "tests/sim/freeze.h"
#include "tests/sim/journal.h"
#include "tests/sim/kernel.h"
#include "tests/sim/life.h"
#include "tests/sim/names.h"
#include "tests/sim/origin.h"
#include "tests/sim/queue.h"
#include "tests/sim/quotes.h"
#include "tests/sim/stats.h"
#include "tests/sim/tunnels.h"

#define SECOND_US 1000000
#define PORT 8642u
#define OUTLIVING_DESCRIPTORS 2      /* libuv's */
#define LATE_MOST_US (3 * SECOND_US) /* beyond total_timeout */

#define SETTLED_US (6 * SECOND_US) /* total_timeout, and some */

#define HABITS_MOST 3600 /* so that what is left of it by a number of deeds is even */

#define CONFIG "sim.conf"
#define JOURNAL "./orders.jsonl"
#define STATE "./state.json"

static struct origin origins[] = {
    {.name = "plain", .address = 0x0a000001, .port = 80},
    {.name = "tls", .address = 0x0a000002, .port = 443, .is_tls = true},
    {.name = "h2", .address = 0x0a000003, .port = 443, .is_tls = true, .is_h2 = true},
    {.name = "other plain", .address = 0x0a000004, .port = 80},
    {.name = "other h2", .address = 0x0a000005, .port = 443, .is_tls = true, .is_h2 = true},
};
static const char *const upstreams[] = {"plain", "tls", "h2"};
static const struct name_row names[] = {{"plain.sim", 0x0a000001},
                                        {"tls.sim", 0x0a000002},
                                        {"h2.sim", 0x0a000003},
                                        {"plain2.sim", 0x0a000004},
                                        {"h22.sim", 0x0a000005},
                                        {"exit.sim", 0x0a020002},
                                        STORE_NAME,
                                        TUNNEL_NAMES};

static struct client_plan plan;
static struct disk_nature disk_usual;
static struct dice dice, cache_dice, exit_dice, tunnel_dice, budget_dice;
static bool has_endpoints, has_exits, has_tunnels, has_budget;
static bool journals, syncs, requires, keeps_state, ends, was_told, is_fickle;
static bool is_killed, is_ill; /* it will be; its disk will be */
static struct journal_terms terms;
static unsigned client_count, min_idle;
static unsigned opened[COUNT_OF(origins)]; /* when it became quiet */
static uint64_t quiet_us;
static uint32_t drain_ms;

/* ------------------------------------------------------------------------- configuration */

static const char *pick(const char *const *at, size_t count)
{
    return at[dice_draw(&dice, (uint32_t)count)];
}

#define PICK(...)                                                                                  \
    pick((const char *const[]){__VA_ARGS__}, COUNT_OF(((const char *const[]){__VA_ARGS__})))

/* What of the answers may be stored and shared. */
static void write_cache(FILE *out)
{
    static const unsigned fresh_ms[] = {0, 50, 500, 3000}, stale_ms[] = {0, 0, 700, 10000};
    struct quote_rules r = {.coalesces = dice_chance(&cache_dice, 80)};
    unsigned fresh = fresh_ms[dice_draw(&cache_dice, COUNT_OF(fresh_ms))];
    unsigned stale = stale_ms[dice_draw(&cache_dice, COUNT_OF(stale_ms))];
    r.fresh_us = fresh * 1000;
    r.stale_us = stale * 1000;
    quotes_allow(&r);
    fprintf(out, "    fresh = %ums\n    stale_if_error = %ums\n", fresh, stale);
    fprintf(out, "    coalesce = %s\n", r.coalesces ? "yes" : "no");
    fprintf(out, "    cache_max_object = %s\n", dice_chance(&cache_dice, 60) ? "1m" : "2000");
    fprintf(out, "    error_prefix = {\"refused\"}\n");
}

static void write_defaults(FILE *out)
{
    fprintf(out, "defaults {\n");
    fprintf(out, "    tls_verify = no\n");
    static const unsigned most[] = {1, 1, 2, 4, 16};
    unsigned max_connections = most[dice_draw(&dice, COUNT_OF(most))];
    fprintf(out, "    max_connections = %u\n", max_connections);
    unsigned idle =
        dice_draw(&dice, 3) ? 0 : 1 + dice_draw(&dice, max_connections < 3 ? max_connections : 3);
    min_idle = idle > min_idle ? idle : min_idle; /* the most, over reloads */
    fprintf(out, "    min_idle = %u\n", idle);
    fprintf(out, "    idle_timeout = %s\n", PICK("50ms", "1s", "90s"));
    fprintf(out, "    max_age = %s\n", PICK("1h", "1h", "700ms"));
    fprintf(out, "    max_requests = %s\n", PICK("0", "0", "1", "3"));
    fprintf(out, "    queue_limit = %s\n", PICK("1024", "1024", "1"));
    static const unsigned queue_ms[] = {2000, 300}, order_ms[] = {1000, 100, 3000};
    struct queue_rules waits = {1000 * order_ms[dice_draw(&dice, COUNT_OF(order_ms))],
                                1000 * queue_ms[dice_draw(&dice, COUNT_OF(queue_ms))]};
    fprintf(out, "    queue_timeout = %ums\n", (unsigned)waits.queue_us / 1000);
    fprintf(out, "    dns_timeout = 1s\n    connect_timeout = 1s\n    tls_timeout = 1s\n");
    fprintf(out, "    response_timeout = %s\n", PICK("2s", "300ms"));
    fprintf(out, "    total_timeout = 4s\n");
    fprintf(out, "    body_timeout = %s\n", PICK("2s", "200ms"));
    fprintf(out, "    order_wait = %ums\n", (unsigned)waits.order_us / 1000);
    fprintf(out, "    retries = %s\n", PICK("2", "2", "0", "5"));
    fprintf(out, "    breaker_failures = %s\n", PICK("5", "100000"));
    fprintf(out, "    max_streams = %s\n", PICK("100", "100", "1"));
    if (plan.dedupes)
        fprintf(out, "    dedupe = 1m\n");
    if (plan.dedupes) /* a copy waits for the order */
        waits.order_us = 0;
    bool is_slow = dice_chance(&dice, 20);
    if (is_slow)
        queue_may_be_held();
    queue_allow(&waits, !has_endpoints && !has_exits);
    const char *rate = is_slow ? PICK("\"20/1s\"", "\"3/100ms\"", "\"1/300ms\"") : NULL;
    if (has_budget)
        budget_write_rate(out, &budget_dice);
    else if (rate)
        fprintf(out, "    rate = %s\n", rate);
    if (plan.quotes)
        write_cache(out);
    if (dice_chance(&dice, 15))
        fprintf(out, "    serialize_by = \"Authorization\"\n");
    fprintf(out, "}\n");
}

static void write_upstream(FILE *out, const char *name, const char *words)
{
    fprintf(out, "upstream %s {\n    %s\n", name, words);
    exits_write(out);
    fprintf(out, "}\n");
}

static void write_config(void)
{
    FILE *out = fopen(CONFIG, "w");
    CHECK(out);
    fprintf(out, "listen = {\"127.0.0.1:%u\"}\n", PORT);
    fprintf(out, "log_level = \"%s\"\n",
            world_is_logged() ? "debug"
            : has_budget      ? "info"
                              : "error");
    budget_write_store(out);
    fprintf(out, "state = %s\nslow_log = 0\n", keeps_state ? STATE : "off");
    fprintf(out, "drain_timeout = %ums\n", drain_ms);
    fprintf(out, "client_header_timeout = 2s\nclient_body_timeout = 2s\n");
    fprintf(out, "client_idle_timeout = %s\n", PICK("10m", "300ms"));
    if (journals)
        fprintf(out,
                "order_journal = \"" JOURNAL "\"\norder_journal_sync = %s\n"
                "order_journal_required = %s\norder_journal_nowait = %s\n",
                syncs ? "yes" : "no", requires ? "yes" : "no", drain_ms % 4 ? "yes" : "no");
    if (has_tunnels)
        fprintf(out, TUNNEL_PORTS);
    if (plan.quotes) {
        struct quote_rules r = {.bytes = dice_chance(&cache_dice, 70) ? 1 << 20 : 5000};
        quotes_allow(&r);
        fprintf(out, "cache_size = %zu\n", r.bytes);
    }
    write_defaults(out);
    if (has_exits)
        exits_draw(&exit_dice);
    write_upstream(out, "plain",
                   has_endpoints ? "endpoints = {\"http://plain.sim\", \"http://plain2.sim\"}"
                                 : "url = \"http://plain.sim\"");
    write_upstream(out, "tls", "url = \"https://tls.sim\"\n    http2 = never");
    write_upstream(out, "h2",
                   has_endpoints ? "endpoints = {\"https://h2.sim\", \"https://h22.sim\"}"
                                 : "url = \"https://h2.sim\"");
    fclose(out);
}

/* ------------------------------------------------------------------- what is done to it */

static void send_signal(void *owner)
{
    int number = (int)(intptr_t)owner;
    if (!world_takes(number == SIGHUP ? "SIGHUP" : number == SIGUSR1 ? "SIGUSR1" : "SIGTERM"))
        return;
    if (number == SIGHUP && dice_chance(&dice, 60))
        write_config();
    if (life_hears(number))
        raise(number);
}

static void stop(void *owner)
{
    if (!life_hears(SIGTERM)) { /* it is dead, or beginning */
        world_in(SECOND_US / 50, stop, owner);
        return;
    }
    world_say("script: SIGTERM");
    clients_let_go();
    tunnels_let_go();
    ends = true;
    raise(SIGTERM);
    if (dice_chance(&dice, 20))
        world_in(dice_draw(&dice, 1 + drain_ms) * 1000, send_signal, (void *)(intptr_t)SIGTERM);
}

static void note_quiet(void)
{
    quiet_us = world_us();
    for (size_t i = 0; i < COUNT_OF(origins); i++)
        opened[i] = origins[i].opened;
}

/* Once it has been told to end, the next life is told so too. */
static void on_death(bool with_power)
{
    terms.torn++;
    terms.lacks_ends |= with_power || disk_lags();
    clients_may_be_refused();
    kernel_press(false); /* it would not start */
    note_quiet();
    budget_dies();
    freeze_forget();
    if (!plan.survives)
        book_forget_copies();
    if (!ends)
        return;
    ends = false;
    world_in(SECOND_US, stop, NULL);
}

static void kill_now(void *owner)
{
    bool with_power = owner != NULL;
    if (world_takes(with_power ? "the machine loses its power" : "kill -9"))
        life_kill(with_power);
}

/* At any time, or in the middle of a write. */
static void plan_kill(void)
{
    struct dice d = dice_of("kill", 0);
    bool with_power = syncs && journals && dice_chance(&d, 40);
    uint32_t kind = dice_draw(&d, 10);
    life_on_death(on_death);
    life_pause(dice_between(&d, 10, 500) * 1000);
    if (kind < 3)
        world_in(dice_draw(&d, 2 * SECOND_US), kill_now, with_power ? &terms : NULL);
    else if (kind < 7 || !journals)
        life_kill_at(LIFE_SOCKET, dice_draw(&d, dice_chance(&d, 50) ? 30 : 300), with_power);
    else
        life_kill_at(LIFE_FILE, dice_draw(&d, 40), with_power);
    if (dice_chance(&d, 30))
        world_in(dice_between(&d, 1, 3) * SECOND_US, kill_now, NULL);
}

static void heal_disk(void *owner)
{
    (void)owner;
    world_say("disk: is well again");
    disk_set(&disk_usual);
}

static void spoil_disk(void *owner)
{
    static const char *const words[] = {"the disk is full", "the disk fails", "no sync succeeds",
                                        "the disk hangs"};
    struct disk_nature n = *disk_now();
    uint32_t kind = dice_draw(&dice, COUNT_OF(words));
    bool heals = dice_chance(&dice, 70);
    uint32_t in_us = dice_draw(&dice, 3 * SECOND_US), hang_us = dice_draw(&dice, 4 * SECOND_US);
    (void)owner;
    if (!world_takes(words[kind]))
        return;
    n.is_full = kind == 0;
    n.fails_write = kind == 1;
    n.fails_sync = kind == 2;
    n.hang_us = kind == 3 ? hang_us : 0;
    terms.torn = UINT_MAX / 2;
    terms.lacks_begins = !requires;
    disk_set(&n);
    if (heals)
        world_in(in_us, heal_disk, NULL);
}

static void jump(void *owner)
{
    (void)owner;
    int64_t s = (int64_t)dice_draw(&dice, 7200) - 3600;
    if (world_takes("the wall clock jumps"))
        world_jump_wall(s * SECOND_US);
}

/* An upstream that is paused is resumed. */
static void resume(void *owner)
{
    budget_resumed(owner);
    admin_say(PORT, owner, "resume", NULL);
}

static void use_verb(void *owner)
{
    static const char *const verbs[] = {"reconnect", "pause", "drain", "freeze"};
    size_t n = dice_draw(&dice, COUNT_OF(verbs));
    const char *upstream = upstreams[dice_draw(&dice, COUNT_OF(upstreams))];
    (void)owner;
    if (!world_takes("an operator's verb") || ends)
        return;
    queue_may_be_held();
    admin_say(PORT, upstream, verbs[n], NULL);
    if (n == 1 || n == 2)
        world_in(dice_draw(&dice, 2 * SECOND_US), resume, (void *)upstream);
}

static void relieve(void *owner)
{
    (void)owner;
    kernel_press(false);
}

static void press(void *owner)
{
    (void)owner;
    if (!life_is_on() || !world_takes("the machine is out of descriptors"))
        return;
    kernel_press(true);
    clients_may_be_refused();
    world_in(dice_draw(&dice, 3 * SECOND_US), relieve, NULL);
}

static void fail_exit(void *owner)
{
    (void)owner;
    if (world_takes("an exit fails"))
        exits_fail(&exit_dice);
}

static void recover(void *owner)
{
    struct origin *o = owner;
    o->listener.refuses = o->listener.is_deaf = false;
}

/* Nothing listens at an origin for a while, or its network is down. */
static void fail_origin(void *owner)
{
    struct origin *o = owner;
    bool deaf = dice_chance(&dice, 40);
    if (!world_takes(deaf ? "an origin is out of reach" : "an origin is down"))
        return;
    queue_may_be_held(); /* what connects has times of its own */
    o->listener.refuses = !deaf;
    o->listener.is_deaf = deaf;
    if (!deaf && dice_chance(&dice, 60))
        origin_crash(o);
    world_in(dice_draw(&dice, 3 * SECOND_US), recover, o);
}

/* Without requests, a pool keeps min_idle connections, each way out its own, and opens no more than
 * one a second, besides those that were on their way for the clients. The first fill, in which
 * handshakes may fail, is no storm. */
static void look_storm(void)
{
    unsigned seconds = (unsigned)((world_us() - quiet_us) / SECOND_US);
    unsigned ways = exits_count() ? exits_count() : 1;
    unsigned most = client_count + (min_idle ? ways * (2 * min_idle + seconds) : 0);
    for (size_t i = 0; i < COUNT_OF(origins); i++)
        if (origins[i].opened - opened[i] > most)
            world_fault("storm", "%u connections to %s in %.1f quiet s, %u are to be kept",
                        origins[i].opened - opened[i], origins[i].name,
                        (double)(world_us() - quiet_us) / 1e6, min_idle);
}

static void judge_journal(void)
{
    struct journal_terms t = terms;
    t.lacks_ends |= disk_lags();
    if (journals)
        journal_judge(JOURNAL, &t);
}

static void begin_quiet(void);

static void end_quiet(void *owner)
{
    (void)owner;
    if (ends)
        return;
    if (!life_is_on()) {
        begin_quiet();
        return;
    }
    look_storm();
    judge_journal();
    stats_ask(PORT, stop);
}

static void begin_quiet(void)
{
    was_told = true;
    note_quiet();
    world_in(dice_chance(&dice, 20) ? dice_draw(&dice, 10 * SECOND_US) : 0, end_quiet, NULL);
}

/* Once all is quiet, if that comes before the planned end, the books are compared. */
static void look_quiet(void *owner)
{
    (void)owner;
    if (ends)
        return;
    bool has_settled = clients_left_us() == 0 || world_us() - clients_left_us() > SETTLED_US;
    if (clients_are_done() && tunnels_are_done() && has_settled && !was_told) {
        begin_quiet();
        return;
    }
    world_in(SECOND_US / 10, look_quiet, NULL);
}

static void stop_early(void *owner)
{
    if (!ends && world_takes("an early end"))
        stop(owner);
}

static void plan_events(void)
{
    static const int numbers[] = {SIGHUP, SIGUSR1};
    for (int i = 0; i < 2; i++)
        if (dice_chance(&dice, 15))
            world_in(dice_draw(&dice, 3 * SECOND_US), send_signal, (void *)(intptr_t)numbers[i]);
    if (is_ill)
        world_in(dice_draw(&dice, 2 * SECOND_US), spoil_disk, NULL);
    if (is_killed)
        plan_kill();
    else if (dice_chance(&dice, 15)) /* what a new life remembers has an age by the wall clock */
        world_in(dice_draw(&dice, 3 * SECOND_US), jump, NULL);
    if (dice_chance(&dice, 40))
        world_in(dice_draw(&dice, 2 * SECOND_US), stop_early, NULL);
    if (dice_chance(&dice, 10))
        world_in(dice_draw(&dice, 2 * SECOND_US), press, NULL);
    for (int i = 0; i < 2; i++)
        if (dice_chance(&dice, 15))
            world_in(dice_draw(&dice, 2 * SECOND_US), use_verb, NULL);
    for (size_t i = 0; i < COUNT_OF(origins); i++)
        if (dice_chance(&dice, 15))
            world_in(dice_draw(&dice, SECOND_US), fail_origin, &origins[i]);
    for (int i = 0; has_exits && i < 2; i++)
        if (dice_chance(&exit_dice, 40))
            world_in(dice_draw(&exit_dice, 2 * SECOND_US), fail_exit, NULL);
    if (has_budget)
        budget_plan(&budget_dice);
    world_in(SECOND_US / 10, look_quiet, NULL);
}

/* --------------------------------------------------------------------------------- all */

/* Some origins know few troubles, and have them often. */
static void draw_habits(struct origin *o)
{
    if (!o->is_fickle && (o->trouble == 0 || !dice_chance(&dice, 30)))
        return;
    o->habit_count = 1 + dice_draw(&dice, COUNT_OF(o->habits));
    for (size_t i = 0; i < o->habit_count; i++)
        o->habits[i] = dice_draw(&dice, HABITS_MOST);
    o->trouble = dice_between(&dice, o->is_fickle ? 50 : 30, 90);
}

static void begin_origins(void)
{
    uint32_t trouble = dice_chance(&dice, 20) ? 0 : dice_draw(&dice, 60);
    is_fickle = dice_chance(&dice, 12);
    for (size_t i = 0; i < COUNT_OF(origins); i++) {
        struct origin *o = &origins[i];
        o->trouble = trouble;
        o->is_fickle = is_fickle;
        draw_habits(o);
        o->slow_us = dice_chance(&dice, 70) ? 3000 : 100000;
        o->idle_us = dice_chance(&dice, 30) ? dice_between(&dice, 1000, 500000) : 0;
        o->streams = dice_chance(&dice, 70) ? 100 : 1;
        origin_begin(o);
    }
    names_begin(names, COUNT_OF(names), dice_chance(&dice, 10) ? 30 : 0);
}

static void begin_clients(void)
{
    size_t one = is_fickle ? COUNT_OF(upstreams) - 1 : dice_draw(&dice, COUNT_OF(upstreams));
    bool all = dice_chance(&dice, 30);
    plan.upstreams = all ? upstreams : &upstreams[one];
    plan.upstream_count = all ? COUNT_OF(upstreams) : 1;
    plan.port = PORT;
    plan.requests = dice_between(&dice, 1, 8);
    plan.think_us = dice_chance(&dice, 50) ? 2000 : dice_chance(&dice, 70) ? 300000 : 3000000;
    plan.patience_us = 4 * SECOND_US + LATE_MOST_US;
    plan.orders = dice_chance(&dice, is_fickle ? 40 : 80) ? 60 : 15;
    client_count = dice_between(&dice, 1, 6);
    for (unsigned i = 1; i <= client_count; i++) {
        bool repeats = plan.survives && is_killed && dice_chance(&dice, 60);
        enum client_kind kind = (enum client_kind)dice_draw(&dice, CLIENT_KINDS);
        client_begin(i, repeats ? CLIENT_CCXT : kind, &plan, dice_between(&dice, 5000, 100000));
    }
}

/* Is its journal on a file system that cannot append without waiting? */
static bool draws_waiting(void)
{
    struct dice own = dice_of("file system", 0);
    return dice_chance(&own, 30);
}

const char *script_begin(void)
{
    dice = dice_of("script", 0);
    cache_dice = dice_of("cache", 0);
    tunnel_dice = dice_of("tunnels", 0);
    has_tunnels = dice_chance(&tunnel_dice, 20);
    exit_dice = dice_of("exits", 0);
    has_exits = dice_chance(&exit_dice, 20);
    budget_dice = dice_of("budget", 0);
    has_budget = !has_exits && dice_chance(&budget_dice, 20);
    plan.quotes = dice_chance(&cache_dice, 30) ? dice_between(&cache_dice, 30, 100) : 0;
    kernel_begin();
    (void)unlink(JOURNAL);
    (void)unlink(STATE);
    (void)unlink(STATE ".new");
    has_endpoints = dice_chance(&dice, 25);
    is_killed = dice_chance(&dice, 15);
    plan.dedupes = dice_chance(&dice, is_killed ? 60 : 30);
    journals = dice_chance(&dice, is_killed ? 80 : 40);
    is_ill = journals && dice_chance(&dice, 15);
    syncs = dice_chance(&dice, 50);
    keeps_state = dice_chance(&dice, 30);
    requires = dice_chance(&dice, 70);
    plan.survives = plan.dedupes && journals && (requires || !is_ill);
    drain_ms = dice_chance(&dice, 50) ? 3000 : dice_draw(&dice, 800);
    if (dice_chance(&dice, 30))
        disk_usual = (struct disk_nature){.write_us = 3000, .sync_us = 20000};
    disk_usual.always_waits = draws_waiting();
    disk_set(&disk_usual);
    if (dice_chance(&dice, 10))
        kernel_limit(dice_between(&dice, 52, 80));
    book_begin(plan.dedupes);
    if (has_budget) {
        budget_begin(&budget_dice);
        queue_may_be_held();
    }
    write_config();
    begin_origins();
    if (has_exits) {
        exits_begin(dice_chance(&exit_dice, 30) ? 0 : dice_draw(&exit_dice, 60));
        queue_may_be_held(); /* what connects has times of its own */
    }
    begin_clients();
    if (has_tunnels)
        tunnels_begin(PORT, &tunnel_dice, !has_exits); /* which lose upgrades without a word */
    plan_events();
    return CONFIG;
}

/* What is on its way when the daemon ends still arrives. */
static void let_arrive(void)
{
    uint64_t until = world_us() + SECOND_US;
    while (world_next_us() <= until && !world_failed())
        world_step();
}

void script_judge(int status)
{
    if (status)
        world_fault("status", "the daemon ended with status %d", status);
    kernel_say_open();
    if (kernel_open_count() > OUTLIVING_DESCRIPTORS)
        world_fault("leak", "%u descriptors are open after the end",
                    kernel_open_count() - OUTLIVING_DESCRIPTORS);
    terms.lacks_ends |= disk_is_ill();
    let_arrive();
    clients_judge();
    tunnels_judge();
    judge_journal();
}
