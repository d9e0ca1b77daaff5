#include "daemon/daemon.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/alloc.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "daemon/config_warnings.h"
#include "daemon/journals.h"
#include "daemon/loaded_config.h"
#include "daemon/notify.h"
#include "daemon/sandbox.h"
#include "daemon/signals.h"
#include "daemon/watchdog.h"
#include "front/access_log.h"
#include "front/activation.h"
#include "front/dispatch.h"
#include "front/listeners.h"
#include "front/order_warning.h"
#include "front/slow_log.h"
#include "net/leaves.h"
#include "proxy/freeze_verb.h"
#include "proxy/guard.h"
#include "proxy/state_keeper.h"

#define POLL_MS 10
#define OWN_DESCRIPTORS 100u
#define FLOOR_PATIENCE_MS 10000
#define STOP_SPARE_MS 10000 /* ENDING_MS, and a journal whose disk hangs (ORDER_END_PATIENCE_MS) */
#define GOODBYE_MS 300      /* a drain's, to clients between two requests */
#define ENDING_MS 2500 /* the last answers' way to their clients; linger allows 2 s of silence */

struct daemon {
    bool verbose;
    struct loop *loop;
    struct worker *worker;
    struct dns *dns;
    struct connect_env env;
    struct budget_store *store;
    struct pools *pools;
    struct proxy *proxy;
    struct state_keeper *keeper;
    struct admin admin;
    struct dispatch dispatch;
    struct lingering *linger;
    struct leaves *leaves;
    struct request_ids ids;
    struct clients *clients;
    struct listeners *listeners;
    struct access_log *access_log;
    struct slow_log slow_log;
    struct journals journals;
    struct config *config;
    struct signals *signals;
    struct reload *reload;
    struct watchdog *watchdog;
    struct task drain;
    struct deadline poll; /* until it is ready; later, until it is drained */
    uint64_t patience_at; /* of the start, later of the drain */
    uint64_t goodbye_at;  /* idle clients stay so long */
    uint64_t end_at;      /* the very end: when it stops, whatever is left; 0: not yet */
    bool hurried;         /* it stops as soon as all have their answers */
};

/* ------------------------------------------------------------- what it lends */

static enum failure permit(void *context, bool listed, const struct sockaddr *address)
{
    struct daemon *d = context;
    if (listeners_own(d->listeners, address))
        return FAILURE_PROXY_LOOP_DETECTED;
    if (!listed && !guard_address(address))
        return FAILURE_DESTINATION_IP_PROHIBITED;
    return FAILURE_NONE;
}

static void count_stored(void *context, struct store_counts *counts)
{
    struct daemon *d = context;
    *counts = proxy_stored(d->proxy);
}

static void view_state(void *context, struct state_view *view)
{
    struct daemon *d = context;
    *view = state_keeper_view(d->keeper);
}

static void count_clients(void *context, struct client_counts *counts)
{
    struct daemon *d = context;
    clients_count(d->clients, &counts->open, &counts->accepted, &counts->rejected);
}

/* What has been done to whom, and at whose word; a drain of all is the daemon's. */
static void log_command(const struct upstream_config *u, enum pool_verb verb, const char *who)
{
    char object[80] = "all upstreams";
    if (u)
        snprintf(object, sizeof object, "upstream %s", u->name);
    if (u || verb != POOL_DRAIN)
        LOG(INFO, object, "%s by %s", pool_verb_past(verb), who);
    else
        LOG(INFO, "daemon", "drain asked for by %s", who);
}

static enum admin_outcome freeze(struct daemon *d, struct admin_command *c)
{
    static const enum admin_outcome outcomes[] = {
        [FREEZE_DONE] = ADMIN_DONE, [FREEZE_UNKNOWN] = ADMIN_UNKNOWN, [FREEZE_FULL] = ADMIN_FULL};
    const struct freeze_verb verb = {c->verb == POOL_UNFREEZE, c->upstream, c->bot, c->who};
    return outcomes[freeze_verb_obey(&verb, proxy_freezes(d->proxy), d->pools, d->config,
                                     &c->tunnels)];
}

static enum admin_outcome command(void *context, struct admin_command *c)
{
    struct daemon *d = context;
    const struct upstream_config *u = config_find(d->config, c->upstream.at, c->upstream.len);
    if (c->verb == POOL_FREEZE || c->verb == POOL_UNFREEZE)
        return freeze(d, c);
    if (c->upstream.len && u == NULL)
        return ADMIN_UNKNOWN;
    if (d->admin.draining && c->verb != POOL_RESUME)
        return ADMIN_DRAINING;
    log_command(u, c->verb, c->who);
    if (u)
        pool_command(pools_find(d->pools, u, NULL), c->verb);
    else if (c->verb == POOL_DRAIN)
        loop_defer(d->loop, &d->drain); /* not from inside the request that asks for it */
    else
        pools_command(d->pools, c->verb);
    return ADMIN_DONE;
}

static bool save(void *context, struct save_waiter *w)
{
    struct daemon *d = context;
    return state_keeper_save(d->keeper, w);
}

static void on_record(void *context, const struct record *record)
{
    struct daemon *d = context;
    if (record->tunnel != RECORD_TUNNEL_OPENED)
        access_log_write(d->access_log, record);
    if (record->unknown)
        order_warning(record);
    else if (record->tunnel != RECORD_TUNNEL_ENDED) /* lasting long is not being slow */
        slow_log_look(&d->slow_log, record, loop_clock_us(d->loop));
}

/* Records cost, so that those are made that somebody reads; of an order of unknown fate
 * always. */
static void set_records(struct daemon *d, const struct config *c)
{
    uint64_t slow = c->slow_log ? c->slow_log * 1000 : UINT64_MAX;
    d->slow_log.limit_us = c->slow_log * 1000;
    proxy_record(d->proxy, on_record, access_log_is_on(d->access_log) ? 0 : slow, d);
}

static struct dns_limits dns_limits_of(const struct config *c)
{
    return (struct dns_limits){c->dns_min_ttl, c->dns_max_ttl, c->dns_stale};
}

static struct client_limits limits_of(const struct config *c)
{
    return (struct client_limits){c->max_clients,         c->client_header_timeout,
                                  c->client_idle_timeout, c->client_body_timeout,
                                  c->max_header_size,     c->max_uri_size};
}

/* ------------------------------------------------------------ configuration */

static void print_errors(const struct text *errors)
{
    struct span rest = text_span(errors);
    while (rest.len) {
        size_t end = span_find(rest, '\n');
        log_write(LOG_LEVEL_ERROR, "configuration", "%.*s", (int)end, rest.at);
        rest = span_from(rest, end + 1);
    }
}

/* What ends the start also stands in `systemctl status`. */
static void print_start_errors(const struct text *errors)
{
    struct span first = span_first(text_span(errors), span_find(text_span(errors), '\n'));
    char status[300];
    snprintf(status, sizeof status, "%.*s", SPAN_ARG(first));
    notify_status(status, false);
    print_errors(errors);
}

/* Descriptors for all clients (a tunnel has two) and lines, and some of its own. */
static void raise_descriptors(const struct config *c)
{
    size_t lines = c->defaults.max_connections; /* of the unlisted hosts, as if they were one */
    for (size_t i = 0; i < c->upstream_count; i++)
        lines += c->upstreams[i]->max_connections;
    size_t wanted = 2 * (size_t)c->max_clients + lines + OWN_DESCRIPTORS;
    size_t allowed = descriptors_raise(wanted);
    if (allowed < wanted)
        LOG(WARN, "daemon",
            "%zu file descriptors are allowed, %zu wanted: two for each of max_clients = %u, %zu "
            "lines of the pools"
            " and %u of its own; raise LimitNOFILE= or ulimit -n, or lower max_clients",
            allowed, wanted, c->max_clients, lines, OWN_DESCRIPTORS);
}

static void add_error(struct loaded_config *loaded, const char *words)
{
    text_printf(&loaded->errors, "%s\n", words);
}

static struct access_log *open_access_log(struct daemon *d, struct loaded_config *loaded)
{
    const struct config *c = loaded->config;
    char error[300];
    struct access_log *log =
        access_log_new(d->loop, d->worker, c->access_log ? c->access_log : "off",
                       (enum config_log_format)c->access_log_format, error, sizeof error);
    if (log == NULL)
        text_printf(&loaded->errors, "%s:%d: access_log = %s\n", c->path, c->access_log_line,
                    error);
    return log;
}

static bool can_keep_state(struct loaded_config *loaded, const char *path)
{
    char error[5000];
    const struct config *c = loaded->config;
    bool good = state_keeper_check(path, error, sizeof error);
    if (!good)
        text_printf(&loaded->errors, "%s:%d: state = %s\n", c->path, c->state_line, error);
    return good;
}

/* All or nothing: what can fail comes first, and adds to the loaded's errors. */
static bool apply(struct daemon *d, struct loaded_config *loaded)
{
    char error[300], path[PATH_MAX];
    struct config *c = loaded->config, *old = d->config;
    const char *state = state_keeper_path(c->state, path);
    struct access_log *log = can_keep_state(loaded, state) ? open_access_log(d, loaded) : NULL;
    if (log == NULL)
        return false;
    if (!journals_open(&d->journals, c, &loaded->errors)) {
        access_log_free(log);
        return false;
    }
    if (!listeners_apply(d->listeners, c, error, sizeof error)) {
        add_error(loaded, error);
        access_log_free(log);
        journals_drop(&d->journals);
        return false;
    }
    if (d->access_log)
        access_log_free(d->access_log);
    d->access_log = log;
    d->config = config_ref(c);
    loop_busy_poll(d->loop, c->busy_poll);
    log_set_level(d->verbose ? LOG_LEVEL_DEBUG : (enum log_level)c->log_level);
    raise_descriptors(c);
    config_warnings(c, loaded->ca, loop_wall_s(d->loop));
    struct client_limits limits = limits_of(c);
    clients_set_limits(d->clients, &limits);
    struct dns_limits dns_limits = dns_limits_of(c);
    dns_set_limits(d->dns, &dns_limits);
    leaves_use(d->leaves, loaded->ca);
    d->env.header_limit = c->max_header_size;
    state_keeper_use(d->keeper, state);
    budget_store_configure(d->store, c, tls_set_store(loaded->tls));
    pools_apply(d->pools, c, loaded->tls);
    proxy_configure(d->proxy, c);
    journals_use(&d->journals, c);
    set_records(d, c);
    d->admin.config_path = c->path;
    config_unref(old);
    return true;
}

static enum reload_outcome use_loaded(struct daemon *d, struct loaded_config *loaded)
{
    if (d->admin.draining) {
        LOG(WARN, "daemon", "reload ignored: draining");
        return RELOAD_TOO_LATE;
    }
    if (loaded->config == NULL || !apply(d, loaded)) {
        print_errors(&loaded->errors);
        LOG(ERROR, "daemon", "reload refused: the old configuration keeps running");
        return RELOAD_REFUSED;
    }
    dns_reload(d->dns);
    LOG(INFO, "daemon", "reloaded %s", loaded->config->path);
    return RELOAD_DONE;
}

static enum reload_outcome on_read(void *owner, struct loaded_config *loaded)
{
    struct daemon *d = owner;
    enum reload_outcome outcome = use_loaded(d, loaded);
    d->admin.reloaded = (struct reload_result){loop_wall_s(d->loop), outcome == RELOAD_DONE};
    notify_ready();
    watchdog_beat(d->watchdog);
    return outcome;
}

static void reload(void *context, struct reload_waiter *waiter, const char *who)
{
    struct daemon *d = context;
    LOG(INFO, "daemon", "reload asked for by %s", who);
    notify_reloading(loop_clock_us(d->loop));
    reload_ask(d->reload, waiter);
}

/* -------------------------------------------------------------------- its life */

static void stop(struct daemon *d)
{
    deadline_stop(&d->poll);
    loop_stop(d->loop);
}

static size_t clients_open(const struct daemon *d)
{
    size_t open;
    uint64_t accepted, rejected;
    clients_count(d->clients, &open, &accepted, &rejected);
    return open;
}

static void begin(struct daemon *d)
{
    notify_ready();
    watchdog_beat(d->watchdog);
    LOG(INFO, "daemon", "ready");
}

/* Clients keep their connections for one more request, whose answer says that it
 * was the last: a connection closed while a request is on its way loses it. So
 * the lines stay until then too. Later, whoever falls idle is closed. */
static void say_goodbye(struct daemon *d)
{
    pools_drain(d->pools);
    clients_dismiss(d->clients);
}

static bool is_empty(const struct daemon *d)
{
    return clients_open(d) + linger_count(d->linger) + proxy_active(d->proxy) == 0;
}

/* A client whose connection is closed unanswered may send its order again, to the next
 * daemon: everybody is answered first. */
static void settle(struct daemon *d)
{
    struct verdict why =
        verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "trunkline is shutting down");
    d->goodbye_at = loop_now(d->loop);
    d->end_at = d->goodbye_at + ENDING_MS;
    pools_drain(d->pools);
    clients_settle(d->clients, &why);
    proxy_settle(d->proxy, &why);
}

static void poll_drain(struct daemon *d)
{
    uint64_t now = loop_now(d->loop);
    if (now >= d->goodbye_at)
        say_goodbye(d);
    if (now >= d->patience_at && !d->end_at) {
        LOG(WARN, "daemon",
            "%zu requests on %zu connections did not end within drain_timeout: answered with 503",
            proxy_active(d->proxy), clients_open(d));
        settle(d);
    }
    bool is_hurried = d->hurried && !clients_owe(d->clients);
    if (is_empty(d) || is_hurried || (d->end_at && now >= d->end_at))
        stop(d);
    else
        deadline_in(&d->poll, POLL_MS);
}

static void on_poll(struct deadline *timer)
{
    struct daemon *d = container_of(timer, struct daemon, poll);
    if (d->admin.draining)
        poll_drain(d);
    else if (pools_floor_tried(d->pools) || loop_now(d->loop) >= d->patience_at)
        begin(d);
    else
        deadline_in(&d->poll, POLL_MS);
}

/* A second time: those under way are answered now. A third time: no client is waited for that has its
 * answer, in a later turn, when what is written in this one has left. */
static void hurry(struct daemon *d)
{
    LOG(INFO, "daemon", "%s stop signal: not waiting any longer for %zu requests",
        d->end_at ? "further" : "second", proxy_active(d->proxy));
    if (d->end_at)
        d->hurried = true;
    else
        settle(d);
}

static void drain(struct daemon *d)
{
    if (d->admin.draining) {
        hurry(d);
        return;
    }
    LOG(INFO, "daemon", "draining: %zu requests under way", proxy_active(d->proxy));
    notify_stopping(d->config->drain_timeout + STOP_SPARE_MS);
    d->admin.draining = true;
    watchdog_beat(d->watchdog);
    journals_give_up(&d->journals);
    listeners_close(d->listeners);
    clients_drain(d->clients);
    d->patience_at = loop_now(d->loop) + d->config->drain_timeout;
    d->goodbye_at = loop_now(d->loop) + (clients_open(d) ? GOODBYE_MS : 0);
    deadline_in(&d->poll, 0);
}

static void drain_asked(struct task *t)
{
    struct daemon *d = container_of(t, struct daemon, drain);
    if (!d->admin.draining)
        drain(d);
}

static void on_signal(void *owner, int number)
{
    struct daemon *d = owner;
    if (number == SIGHUP) {
        reload(d, NULL, "SIGHUP");
    } else if (number == SIGUSR1) {
        access_log_reopen(d->access_log);
        journals_reopen(&d->journals);
    } else {
        LOG(INFO, "daemon", "drain asked for by %s", number == SIGINT ? "SIGINT" : "SIGTERM");
        drain(d);
    }
}

/* No two starts may share a life: that of a clock that was put back differs by its random
 * bits. */
static void begin_life(struct daemon *d)
{
    struct timespec now = loop_wall(d->loop);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    request_ids_init(&d->ids, ms, loop_random(d->loop));
    LOG(DEBUG, "daemon", "ids of requests begin with %s", d->ids.life);
}

static void build(struct daemon *d, const struct config *c, const char *path, bool optional)
{
    struct client_limits limits = limits_of(c);
    begin_life(d);
    d->worker = worker_new(d->loop);
    d->store = budget_store_new(&(struct store_env){d->loop, d->dns, d->worker});
    d->env = (struct connect_env){.loop = d->loop,
                                  .dns = d->dns,
                                  .worker = d->worker,
                                  .permit = permit,
                                  .context = d,
                                  .store = d->store,
                                  .header_limit = c->max_header_size};
    d->pools = pools_new(&d->env);
    d->proxy = proxy_new(d->loop, d->pools);
    d->keeper = state_keeper_new(d->loop, d->pools, proxy_freezes(d->proxy));
    journals_init(&d->journals, d->loop, d->proxy, d->ids.life);
    d->admin = (struct admin){.loop = d->loop,
                              .pools = d->pools,
                              .totals = proxy_totals(d->proxy),
                              .under_way = proxy_under_way(d->proxy),
                              .freezes = proxy_freezes(d->proxy),
                              .store = d->store,
                              .count_clients = count_clients,
                              .count_stored = count_stored,
                              .view_state = view_state,
                              .journal = &d->journals.now,
                              .command = command,
                              .save = save,
                              .reload = reload,
                              .context = d,
                              .started_us = loop_clock_us(d->loop)};
    d->leaves = leaves_new(d->loop, d->worker);
    dispatch_init(&d->dispatch, d->proxy, &d->admin, d->leaves);
    d->linger = linger_new(d->loop);
    d->clients = clients_new(d->loop, d->linger, &d->dispatch.handler, &limits);
    clients_intercept(d->clients, d->worker, d->leaves);
    clients_identify(d->clients, &d->ids);
    d->listeners = listeners_new(d->loop, d->clients);
    d->signals = signals_new(d->loop, on_signal, d);
    d->reload = reload_new(d->worker, path, optional && *c->path == '\0', on_read, d);
    d->watchdog = watchdog_new(d->loop, &d->admin);
    task_init(&d->drain, drain_asked);
    deadline_init(&d->poll, d->loop, on_poll);
}

/* Clients first: their exchanges let go of lines, then lines can close. */
static void destroy(struct daemon *d)
{
    signals_free(d->signals);
    watchdog_free(d->watchdog);
    listeners_free(d->listeners);
    clients_free(d->clients);
    linger_free(d->linger);
    leaves_free(d->leaves);
    proxy_stop(d->proxy);
    state_keeper_free(d->keeper);
    pools_free(d->pools);
    budget_store_free(d->store);
    proxy_free(d->proxy);
    journals_end(&d->journals);
    dns_free(d->dns);
    reload_free(d->reload);
    if (d->access_log)
        access_log_free(d->access_log);
    worker_free(d->worker);
    config_unref(d->config);
    loop_free(d->loop);
}

static bool adopt(struct daemon *d, struct loaded_config *loaded)
{
    char error[300];
    bool good = activation_adopt(d->listeners, error, sizeof error);
    if (!good)
        add_error(loaded, error);
    return good;
}

static int run(struct daemon *d, struct loaded_config *loaded, const char *path, bool optional)
{
    d->loop = loop_new();
    struct dns_limits limits = dns_limits_of(loaded->config);
    d->dns = dns_new(d->loop, &limits);
    if (d->dns == NULL) {
        loop_free(d->loop);
        return EX_OSERR;
    }
    build(d, loaded->config, path, optional);
    bool good = adopt(d, loaded) && apply(d, loaded);
    if (!good)
        print_start_errors(&loaded->errors);
    loaded_config_clear(loaded);
    if (good) {
        LOG(INFO, "daemon", "trunkline %s, %zu upstreams, configuration %s", PACKAGE_VERSION,
            d->config->upstream_count, *d->config->path ? d->config->path : "built in");
        if (strcmp(d->config->order_journal, "off") != 0)
            proxy_recall(d->proxy, d->config->order_journal);
        d->patience_at = loop_now(d->loop) + FLOOR_PATIENCE_MS;
        deadline_in(&d->poll, 0);
        sandbox_enter();
        loop_run(d->loop);
        LOG(INFO, "daemon", "ended");
    }
    destroy(d);
    return good ? EX_OK : EX_UNAVAILABLE;
}

int daemon_run(const char *path, bool optional, bool verbose)
{
    struct daemon d = {.verbose = verbose};
    struct loaded_config loaded;
    log_for_journal();
    alloc_prepare();
    json_set_alloc_funcs(must_malloc, free);
    CHECK(uv_replace_allocator(must_malloc, must_realloc, must_calloc, free) == 0);
    tls_start();
    if (verbose)
        log_set_level(LOG_LEVEL_DEBUG);
    if (!loaded_config_make(&loaded, path, optional)) {
        print_start_errors(&loaded.errors);
        loaded_config_clear(&loaded);
        return EX_CONFIG;
    }
    if (!verbose)
        log_set_level((enum log_level)loaded.config->log_level);
    return run(&d, &loaded, path, optional);
}
