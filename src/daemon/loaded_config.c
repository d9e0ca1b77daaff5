#include "daemon/loaded_config.h"

#include <stdio.h>

#include "front/start_check.h"

struct reload {
    struct worker *worker;
    char *path;
    bool optional, again, freed;
    struct job job;
    struct loaded_config loaded;
    struct list waiting; /* for the reading under way */
    struct list later;   /* for the one after */
    enum reload_outcome (*use)(void *owner, struct loaded_config *);
    void *owner;
};

static void complain(void *context, const char *message)
{
    struct text *errors = context;
    text_add_str(errors, message);
    text_add_str(errors, "\n");
}

static bool load_ca(struct loaded_config *p)
{
    const struct config *c = p->config;
    struct ca_error error;
    char message[600];
    if (c->ca_cert == NULL)
        return true;
    p->ca = ca_load(c->ca_cert, c->ca_key, &error);
    if (p->ca)
        return true;
    snprintf(message, sizeof message, "%s:%d: %s", c->path,
             error.in_key ? c->ca_key_line : c->ca_cert_line, error.words);
    complain(&p->errors, message);
    return false;
}

static bool load(struct loaded_config *p, const char *path, bool optional)
{
    *p = (struct loaded_config){0};
    p->config = config_load(path, optional, complain, &p->errors);
    if (p->config)
        p->tls = tls_set_new(p->config, complain, &p->errors);
    return p->config && load_ca(p) && p->tls;
}

bool loaded_config_check(const char *path, struct text *errors)
{
    struct loaded_config p;
    bool good = load(&p, path, false);
    if (p.config)
        good &= start_check(p.config, complain, &p.errors);
    text_add(errors, text_span(&p.errors));
    loaded_config_clear(&p);
    return good;
}

bool loaded_config_make(struct loaded_config *p, const char *path, bool optional)
{
    if (load(p, path, optional))
        return true;
    config_unref(p->config);
    tls_set_free(p->tls);
    ca_unref(p->ca);
    p->config = NULL;
    p->tls = NULL;
    p->ca = NULL;
    return false;
}

void loaded_config_clear(struct loaded_config *p)
{
    config_unref(p->config);
    tls_set_free(p->tls);
    ca_unref(p->ca);
    text_free(&p->errors);
    *p = (struct loaded_config){0};
}

static void work(struct job *j)
{
    struct reload *r = container_of(j, struct reload, job);
    bool good = loaded_config_make(&r->loaded, r->path, r->optional);
    (void)good; /* done() looks at the loaded */
}

static void forget_all(struct list *waiters)
{
    while (waiters->count)
        list_remove(list_first(waiters));
}

static void destroy(struct reload *r)
{
    loaded_config_clear(&r->loaded);
    free(r->path);
    free(r);
}

static void begin(struct reload *r)
{
    r->again = false;
    LIST_FOR (&r->later, w, struct reload_waiter, link) {
        list_remove(&w->link);
        list_push_back(&r->waiting, &w->link);
    }
    worker_submit(r->worker, &r->job);
}

static void tell(struct list *waiters, enum reload_outcome outcome, const struct text *errors)
{
    while (waiters->count) {
        struct reload_waiter *w = container_of(list_first(waiters), struct reload_waiter, link);
        list_remove(&w->link);
        w->done(w, outcome, text_span(errors));
    }
}

static void done(struct job *j)
{
    struct reload *r = container_of(j, struct reload, job);
    if (r->freed) {
        destroy(r);
        return;
    }
    if (r->loaded.config && *r->loaded.config->path)
        r->optional = false; /* a file that was there does not turn into the defaults */
    enum reload_outcome outcome = r->use(r->owner, &r->loaded);
    tell(&r->waiting, outcome, &r->loaded.errors);
    loaded_config_clear(&r->loaded);
    if (r->again)
        begin(r);
}

struct reload *reload_new(struct worker *w, const char *path, bool optional,
                          enum reload_outcome (*use)(void *owner, struct loaded_config *),
                          void *owner)
{
    struct reload *r = NEW(struct reload);
    r->worker = w;
    r->path = must_strdup(path);
    r->optional = optional;
    r->job = (struct job){.work = work, .done = done};
    r->use = use;
    r->owner = owner;
    list_init(&r->waiting);
    list_init(&r->later);
    return r;
}

void reload_ask(struct reload *r, struct reload_waiter *w)
{
    if (w)
        list_push_back(&r->later, &w->link);
    r->again = r->job.running || r->job.link.on;
    if (!r->again)
        begin(r);
}

void reload_free(struct reload *r)
{
    r->freed = true;
    forget_all(&r->waiting);
    forget_all(&r->later);
    if (!r->job.running) {
        bool forgotten = worker_forget(r->worker, &r->job);
        (void)forgotten; /* it was not running: nobody else knows it */
        destroy(r);
    }
}
