#include "cli/doctor.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/log.h"
#include "cli/diagnosis.h"
#include "daemon/loaded_config.h"

#define NOT_WELL 1
#define STEP_MS 250

struct doctor {
    struct loaded_config loaded;
    struct connect_env env;
    const char *only;      /* the one to look at; NULL: all */
    size_t count, waiting; /* upstreams, checkups that are not over */
    size_t next;           /* the first that may not have begun */
    struct deadline step;  /* when it begins, even if the one before is not over */
    struct checkup **at;   /* in the upstreams' order; NULL: not looked at */
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

static void begin(struct doctor *d, size_t i)
{
    d->waiting++;
    d->at[i] = checkup_start(&d->env, tls_set_upstream(d->loaded.tls, i),
                             d->loaded.config->upstreams[i], on_done, d);
}

/* One after another, so that the times of one do not include work for another. One that takes
 * long is waiting for the network and not working, so the next begins. */
static void on_step(struct deadline *step)
{
    struct doctor *d = container_of(step, struct doctor, step);
    while (d->next < d->count && !is_wanted(d, d->loaded.config->upstreams[d->next]))
        d->next++;
    if (d->next < d->count) {
        begin(d, d->next++);
        deadline_in(&d->step, STEP_MS);
    } else if (d->waiting == 0) {
        loop_stop(d->env.loop);
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
        if (d->at[i] == NULL)
            continue;
        if (page.len)
            text_add_str(&page, "\n");
        all_well &= diagnose(d->loaded.config->upstreams[i], checkup_facts(d->at[i]), &page);
    }
    fwrite(page.at, 1, page.len, stdout);
    text_free(&page);
    return all_well ? EX_OK : NOT_WELL;
}

static void clean_up(struct doctor *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->at[i])
            checkup_free(d->at[i]);
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
    d->at = must_calloc(d->count, sizeof *d->at);
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
        d.count = d.loaded.config->upstream_count;
        d.only = only;
        exit_code = examine(&d);
    }
    loaded_config_clear(&d.loaded);
    return exit_code;
}
