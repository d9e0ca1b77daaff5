#include "cli/doctor.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/log.h"
#include "cli/diagnosis.h"
#include "cli/store_checkup.h"
#include "daemon/loaded_config.h"

#define NOT_WELL 1
#define STEP_MS 250

/* One look at one upstream: at one of its endpoints, by one of its exits if it has any. */
struct visit {
    size_t upstream;
    const struct upstream_config *settings;
    struct upstream_config *own; /* the settings for an endpoint; NULL: they are the upstream's */
    const struct config_exit *exit; /* NULL: straight */
    struct checkup *checkup;        /* NULL: not begun */
};

struct doctor {
    struct loaded_config loaded;
    struct connect_env env;
    const char *only;      /* the one to look at; NULL: all */
    size_t count, waiting; /* visits, those that are not over */
    size_t next;           /* the first that has not begun */
    struct deadline step;  /* when it begins, even if the one before is not over */
    struct visit *at;      /* in the order of the configuration */
};

/* Any address is permitted: these are the operator's own upstreams. */
static enum failure permit(void *context, bool listed, const struct sockaddr *address)
{
    (void)context, (void)listed, (void)address;
    return FAILURE_NONE;
}

static void on_done(void *owner)
{
    struct doctor *d = owner;
    d->waiting--;
    deadline_in(&d->step, 0);
}

static bool is_wanted(const struct doctor *d, const struct upstream_config *u)
{
    return d->only == NULL || strcmp(u->name, d->only) == 0;
}

static void begin(struct doctor *d, struct visit *v)
{
    d->waiting++;
    v->checkup = checkup_start(&d->env, tls_set_upstream(d->loaded.tls, v->upstream), v->settings,
                               v->exit, on_done, d);
}

/* One after another, so that the times of one do not include work for another. One that takes
 * long is waiting for the network and not working, so the next begins. */
static void on_step(struct deadline *step)
{
    struct doctor *d = container_of(step, struct doctor, step);
    if (d->next < d->count) {
        begin(d, &d->at[d->next++]);
        deadline_in(&d->step, STEP_MS);
    } else if (d->waiting == 0) {
        loop_stop(d->env.loop);
    }
}

/* The settings of an upstream for one of its endpoints. The first stays known: what can be asked of it
 * can be asked of all. */
static struct upstream_config *settings_for(const struct upstream_config *u, size_t endpoint)
{
    struct upstream_config *own = NEW(struct upstream_config);
    *own = *u;
    own->url = u->endpoints.at[endpoint];
    own->host = u->hosts[endpoint].host;
    own->port = u->hosts[endpoint].port;
    return own;
}

static void add_visit(struct doctor *d, size_t upstream, size_t endpoint,
                      const struct config_exit *exit)
{
    const struct upstream_config *u = d->loaded.config->upstreams[upstream];
    struct upstream_config *own = u->host_count > 1 ? settings_for(u, endpoint) : NULL;
    d->at = must_realloc(d->at, (d->count + 1) * sizeof *d->at);
    d->at[d->count++] = (struct visit){upstream, own ? own : u, own, exit, NULL};
}

static void plan(struct doctor *d)
{
    for (size_t i = 0; i < d->loaded.config->upstream_count; i++) {
        const struct upstream_config *u = d->loaded.config->upstreams[i];
        size_t exits = u->exits.count ? u->exits.count : 1;
        for (size_t k = 0; is_wanted(d, u) && k < exits * u->host_count; k++)
            add_visit(d, i, k % u->host_count,
                      u->exits.count ? &u->exits.at[k / u->host_count] : NULL);
    }
}

static void look(struct doctor *d)
{
    deadline_init(&d->step, d->env.loop, on_step);
    deadline_in(&d->step, 0);
    loop_run(d->env.loop);
}

static int tell(const struct doctor *d)
{
    struct text page = {0};
    bool all_well = true;
    for (size_t i = 0; i < d->count; i++) {
        if (page.len)
            text_add_str(&page, "\n");
        all_well &= diagnose(d->at[i].settings, checkup_facts(d->at[i].checkup), &page);
    }
    const struct store_env env = {d->env.loop, d->env.dns, d->env.worker};
    if (d->only == NULL)
        all_well &= store_checkup(&env, d->loaded.config, tls_set_store(d->loaded.tls), &page);
    fwrite(page.at, 1, page.len, stdout);
    text_free(&page);
    return all_well ? EX_OK : NOT_WELL;
}

static void clean_up(struct doctor *d)
{
    for (size_t i = 0; i < d->count; i++) {
        checkup_free(d->at[i].checkup);
        free(d->at[i].own);
    }
    loop_turn(d->env.loop, false);
    dns_free(d->env.dns);
    worker_free(d->env.worker);
    loop_free(d->env.loop);
    free(d->at);
}

static int examine(struct doctor *d)
{
    const struct config *c = d->loaded.config;
    struct loop *loop = loop_new();
    const struct dns_limits limits = {c->dns_min_ttl, c->dns_max_ttl, c->dns_stale};
    struct dns *dns = dns_new(loop, &limits);
    if (dns == NULL) {
        loop_free(loop);
        return EX_OSERR;
    }
    d->env = (struct connect_env){.loop = loop,
                                  .dns = dns,
                                  .worker = worker_new(loop),
                                  .permit = permit,
                                  .header_limit = c->max_header_size};
    plan(d);
    look(d);
    int exit_code = tell(d);
    clean_up(d);
    return exit_code;
}

static int check_call(const struct config *c, const char *only)
{
    if (c->upstream_count == 0) {
        fprintf(stderr, "trunkline: %s: there is no upstream to look at\n",
                *c->path ? c->path : "the built-in configuration");
        return EX_CONFIG;
    }
    if (only && config_find(c, only, strlen(only)) == NULL) {
        fprintf(stderr, "trunkline: %s has no upstream '%s'\n", c->path, only);
        return EX_USAGE;
    }
    return EX_OK;
}

int doctor_run(const char *path, bool optional, const char *only)
{
    struct doctor d = {0};
    tls_start();
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR);
    bool good = loaded_config_make(&d.loaded, path, optional);
    if (d.loaded.errors.len)
        fputs(d.loaded.errors.at, stderr);
    int exit_code = good ? check_call(d.loaded.config, only) : EX_CONFIG;
    if (exit_code == EX_OK) {
        d.only = only;
        exit_code = examine(&d);
    }
    loaded_config_clear(&d.loaded);
    return exit_code;
}
