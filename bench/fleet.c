/* Many trunklines in one process that share one rate through a real store: how well the rate holds,
 * and how the store's load grows with their number. Each has the gate and the store's connection of
 * the daemon; the clients are two for each, who together want twice what the rate allows. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "budget/gate.h"
#include "net/dns.h"
#include "net/worker.h"

#define CLIENTS 2
#define WARM_UP_MS 2000
#define WAIT_MS 3600000

struct fleet {
    struct loop *loop;
    struct config *config;
    struct upstream_config settings;
    uint64_t think_ms, passed;
};

struct client {
    struct fleet *fleet;
    struct gate *gate;
    struct gate_waiter waiter;
    struct deadline think;
};

struct daemon {
    struct budget_store *store;
    struct gate *gate;
    struct client clients[CLIENTS];
};

static void think(struct client *c)
{
    uint64_t ms = c->fleet->think_ms;
    deadline_in(&c->think, ms / 2 + loop_random(c->fleet->loop) % (ms + 1));
}

static void on_pass(void *owner)
{
    struct client *c = owner;
    c->fleet->passed++;
    think(c);
}

static void on_refused(void *owner, const struct verdict *why)
{
    (void)why;
    think(owner);
}

static void on_think(struct deadline *d)
{
    struct client *c = container_of(d, struct client, think);
    if (gate_pass(c->gate, &c->waiter, loop_now(c->fleet->loop) + WAIT_MS))
        on_pass(c);
}

static void begin(struct fleet *f, struct daemon *d, const struct store_env *env)
{
    d->store = budget_store_new(env);
    budget_store_configure(d->store, f->config, NULL);
    d->gate = gate_new(f->loop, &f->settings);
    gate_share(d->gate, d->store, "fleet", "");
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *c = &d->clients[i];
        *c = (struct client){.fleet = f, .gate = d->gate};
        c->waiter.owner = c;
        c->waiter.on_pass = on_pass;
        c->waiter.on_refused = on_refused;
        deadline_init(&c->think, f->loop, on_think);
        think(c);
    }
}

static void end(struct daemon *d)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        deadline_stop(&d->clients[i].think);
        gate_forget(&d->clients[i].waiter);
    }
    gate_free(d->gate);
    budget_store_free(d->store);
}

static void run_for(struct loop *loop, uint64_t ms)
{
    for (uint64_t until = loop_now(loop) + ms; loop_now(loop) < until;)
        loop_turn(loop, true);
}

struct sum {
    uint64_t asked, outages, round_trip_us;
};

static struct sum sum_of(const struct daemon *daemons, size_t count)
{
    struct sum s = {0};
    for (size_t i = 0; i < count; i++) {
        struct budget_store_view v;
        budget_store_describe(daemons[i].store, &v);
        s.asked += v.asked;
        s.outages += v.outages;
        s.round_trip_us += v.round_trip_us / count;
    }
    return s;
}

static void measure(struct fleet *f, const struct store_env *env, size_t count, uint64_t seconds)
{
    struct daemon *daemons = must_calloc(count, sizeof *daemons);
    const struct config_rate *rate = &f->settings.rate;
    f->think_ms = count * CLIENTS * rate->per_ms / rate->count / 2;
    for (size_t i = 0; i < count; i++)
        begin(f, &daemons[i], env);
    run_for(f->loop, WARM_UP_MS);
    struct sum before = sum_of(daemons, count);
    uint64_t began_us = loop_clock_us(f->loop);
    f->passed = 0;
    run_for(f->loop, seconds * 1000);
    double took_s = (double)(loop_clock_us(f->loop) - began_us) / 1e6;
    struct sum after = sum_of(daemons, count);
    double allowed = (double)rate->count * 1000 / (double)rate->per_ms;
    printf("%8zu  %10.0f  %9.1f %%  %13.0f  %16.3f  %7" PRIu64 "\n", count,
           (double)f->passed / took_s, (double)f->passed / took_s / allowed * 100,
           (double)(after.asked - before.asked) / took_s, (double)after.round_trip_us / 1000,
           after.outages);
    fflush(stdout);
    for (size_t i = 0; i < count; i++)
        end(&daemons[i]);
    free(daemons);
    run_for(f->loop, 10);
}

static int usage(void)
{
    fputs("usage: fleet STORE RATE_PER_SECOND SECONDS DAEMONS…\n"
          "       for example: fleet unix:/run/redis/redis.sock 1000 10 1 10 100 1000\n",
          stderr);
    return 64;
}

static void complain(void *context, const char *message)
{
    (void)context;
    fprintf(stderr, "fleet: %s\n", message);
}

int main(int argc, char **argv)
{
    char text[500];
    if (argc < 5)
        return usage();
    int len = snprintf(text, sizeof text, "budget_store = \"%s\"\nbudget_timeout = 1s\n", argv[1]);
    struct fleet f = {.config = config_parse("fleet", text, (size_t)len, complain, NULL)};
    unsigned rate = (unsigned)strtoul(argv[2], NULL, 10);
    if (f.config == NULL || rate == 0)
        return usage();
    log_set_level(LOG_LEVEL_ERROR);
    tls_start();
    f.loop = loop_new();
    f.settings = f.config->defaults;
    f.settings.rate = (struct config_rate){rate, 1000};
    f.settings.burst = rate / 10 + 1;
    struct dns *dns = dns_new(f.loop, &(struct dns_limits){1000, 60000, 0});
    struct worker *worker = worker_new(f.loop);
    const struct store_env env = {f.loop, dns, worker};
    puts(" daemons  requests/s  of the rate  store asked/s  round trip (ms)  outages");
    for (int i = 4; i < argc; i++)
        measure(&f, &env, strtoul(argv[i], NULL, 10), strtoul(argv[3], NULL, 10));
    dns_free(dns);
    worker_free(worker);
    loop_free(f.loop);
    config_unref(f.config);
    return 0;
}
