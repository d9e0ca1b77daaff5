#include "upstream/pools.h"

#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/log.h"
#include "config/hosts.h"
#include "upstream/pool_sum.h"

struct entry {
    char *key; /* "binance", or "https://host:443" of an unlisted one */
    const struct connect_env *env;
    struct tls_context *tls; /* of its connectors, one reference; NULL: a plain origin */
    struct pool *pool;
    struct upstream_config own; /* settings of an unlisted one, which are not in the snapshot */
    char *host;                 /* of `own`; NULL: a listed one */
    bool is_named;              /* has a label of its own in metrics */
    struct link link;           /* in pools->listed, ->unlisted or ->retired */
    UT_hash_handle hh;          /* by key, unless retired */
};

struct pools {
    const struct connect_env *env;
    struct config *snapshot;
    struct tls_context *unlisted_tls;
    bool paused; /* all of them, and those made later */
    struct pool_freeze freeze;
    struct entry *map;
    struct list listed;   /* in the configuration's order */
    struct list unlisted; /* the most recently used at the back */
    struct list retired;
    size_t named;                      /* unlisted ones that ever had a label of their own */
    struct pool_sum gone;              /* what was counted for unlisted ones that are gone */
    const struct pools_events *events; /* NULL: nobody watches */
    void *owner;
};

static struct entry *entry_of(struct link *link)
{
    return LIST_ENTRY(link, struct entry, link);
}

static struct entry *find(const struct pools *p, const char *key)
{
    struct entry *e;
    HASH_FIND_STR(p->map, key, e);
    return e;
}

static void forget(struct pools *p, struct entry *e)
{
    struct pool_view view;
    pool_describe(e->pool, &view);
    if (e->host)
        pool_sum_add(&p->gone, &view);
    list_remove(&e->link);
    pool_free(e->pool);
    if (e->tls)
        tls_context_unref(e->tls);
    free(e->key);
    free(e->host);
    free(e);
}

static void on_empty(void *owner, struct pool *pool)
{
    struct pools *p = owner;
    for (struct link *k = list_first(&p->retired); k; k = list_next(k)) {
        if (entry_of(k)->pool == pool) {
            forget(p, entry_of(k));
            return;
        }
    }
}

static struct entry *add(struct pools *p, const char *key, struct list *to)
{
    struct entry *e = NEW(struct entry);
    e->key = must_strdup(key);
    HASH_ADD_KEYPTR(hh, p->map, e->key, strlen(e->key), e);
    list_push_back(to, &e->link);
    return e;
}

static void retire(struct pools *p, struct entry *e)
{
    HASH_DEL(p->map, e);
    list_remove(&e->link);
    list_push_back(&p->retired, &e->link);
    pool_retire(e->pool);
}

/* ---------------------------------------------------------------- listed ones */

static struct pool_origin origin_of(const struct upstream_config *u, const char *name,
                                    struct way_host *names)
{
    const struct config_endpoint first = hosts_at(u, 0);
    way_host_name(names, &first);
    return (struct pool_origin){name ? name : names->authority, names->origin, names->authority,
                                names->next_hop, name != NULL};
}

static struct connector *make_connector(void *context)
{
    const struct entry *e = context;
    return connect_new(e->env, e->tls, e->host == NULL);
}

static void set_tls(struct entry *e, bool secure, struct tls_context *tls)
{
    struct tls_context *old = e->tls;
    e->tls = secure ? tls_context_ref(tls) : NULL;
    if (e->pool)
        EACH_WAY (pool_ways(e->pool), w)
            connect_set_tls(w->connector, e->tls);
    if (old)
        tls_context_unref(old);
}

/* Ways may come with each configuration; their limits are shared and watched from then on. */
static void watch_ways(struct pools *p, struct pool *pool)
{
    const char *key = pool_settings(pool)->budget_key;
    EACH_EXIT(pool_ways(pool), w)
    gate_share(w->gate, p->env->store, key ? key : pool_origin(pool)->name,
               w->outlet->name ? w->outlet->name : "");
    if (p->events == NULL)
        return;
    EACH_EXIT(pool_ways(pool), w)
    {
        struct holds *limits = gate_limits(w->gate);
        if (limits->changed)
            continue;
        holds_watch(limits, p->events->on_limits, p->owner);
        p->events->on_made(p->owner, pool, w);
    }
}

static void make(struct pools *p, struct entry *e, const struct upstream_config *u,
                 const char *name, struct tls_context *tls)
{
    struct way_host names;
    struct pool_origin origin = origin_of(u, name, &names);
    const struct way_maker maker = {make_connector, e};
    e->env = p->env;
    set_tls(e, u->secure, tls);
    e->pool = pool_new(p->env->loop, &maker, p->snapshot, u, &origin, on_empty, p);
    if (p->freeze.is_frozen)
        pool_ask_frozen(e->pool, &p->freeze);
    pool_look_frozen(e->pool);
    if (p->paused)
        pool_command(e->pool, POOL_PAUSE);
    watch_ways(p, e->pool);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_address(const struct config_address *a, const struct config_address *b)
{
    return a->len == b->len && memcmp(&a->at, &b->at, a->len) == 0;
}

/* Would a line be opened in the same way with both? */
static bool same_lines(const struct upstream_config *a, const struct upstream_config *b)
{
    return same_address(&a->connect_to, &b->connect_to) && a->tls_verify == b->tls_verify &&
           a->tls_min == b->tls_min && a->http2 == b->http2 &&
           same_text(a->tls_name, b->tls_name) && same_text(a->ca_file, b->ca_file) &&
           same_text(a->cert_file, b->cert_file) && same_text(a->key_file, b->key_file);
}

static bool same_origin(const struct upstream_config *a, const struct upstream_config *b)
{
    return a->secure == b->secure && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The pool of a name outlives every change of its settings, with what an operator said of it,
 * its budget, its counters and the requests that wait. */
static void change(struct pools *p, struct entry *e, const struct upstream_config *u,
                   struct tls_context *tls)
{
    struct way_host names;
    const struct upstream_config *old = pool_settings(e->pool);
    bool renew = !same_lines(old, u);
    set_tls(e, u->secure, tls);
    if (same_origin(old, u)) {
        pool_configure(e->pool, p->snapshot, u, renew);
    } else {
        struct pool_origin origin = origin_of(u, u->name, &names);
        pool_redirect(e->pool, p->snapshot, u, &origin, renew);
    }
    watch_ways(p, e->pool);
}

static void apply_listed(struct pools *p, const struct upstream_config *u, struct tls_context *tls)
{
    struct entry *e = find(p, u->name);
    if (e == NULL) {
        e = add(p, u->name, &p->listed);
        make(p, e, u, u->name, tls);
        return;
    }
    change(p, e, u, tls);
    list_remove(&e->link);
    list_push_back(&p->listed, &e->link);
}

/* -------------------------------------------------------------- unlisted ones */

static struct upstream_config unlisted_settings(const struct pools *p, char *host, bool secure,
                                                uint16_t port)
{
    struct upstream_config u = p->snapshot->defaults;
    u.host = host;
    u.secure = secure;
    u.port = port;
    u.min_idle = 0; /* defaults {} is not meant for hosts that are not listed */
    return u;
}

static void apply_unlisted(struct pools *p)
{
    for (struct link *k = list_first(&p->unlisted); k; k = list_next(k)) {
        struct entry *e = entry_of(k);
        struct upstream_config now = unlisted_settings(p, e->host, e->own.secure, e->own.port);
        bool renew = !same_lines(&e->own, &now);
        e->own = now;
        set_tls(e, now.secure, p->unlisted_tls);
        pool_configure(e->pool, p->snapshot, &e->own, renew);
        watch_ways(p, e->pool);
    }
}

static bool is_listed_now(const struct pools *p, const struct entry *e)
{
    return config_find_origin(p->snapshot, e->own.secure, e->host, strlen(e->host), e->own.port);
}

static bool retire_unused(struct pools *p, bool with_lines)
{
    for (struct link *k = list_first(&p->unlisted); k; k = list_next(k)) {
        struct entry *e = entry_of(k);
        bool is_stopped =
            pool_is_stopped(e->pool) && !p->paused; /* a new pool for it would not be */
        if (pool_requests(e->pool) == 0 && !is_stopped &&
            (with_lines || pool_lines(e->pool) == 0)) {
            retire(p, e);
            return true;
        }
    }
    return false;
}

/* Room for one more: the least recently used one goes, one without lines first. */
static bool make_room(struct pools *p)
{
    return p->unlisted.count < POOLS_UNLISTED_MAX || retire_unused(p, false) ||
           retire_unused(p, true);
}

static struct pool *find_unlisted(struct pools *p, const struct origin *o)
{
    char key[300];
    snprintf(key, sizeof key, "%s://%.*s:%u", o->secure ? "https" : "http", SPAN_ARG(o->host),
             o->port);
    struct entry *e = find(p, key);
    if (e) {
        list_remove(&e->link);
        list_push_back(&p->unlisted, &e->link);
        return e->pool;
    }
    if (o->host.len > 253 || !make_room(p))
        return NULL;
    e = add(p, key, &p->unlisted);
    e->host = must_strndup(o->host.at, o->host.len);
    e->own = unlisted_settings(p, e->host, o->secure, o->port);
    e->is_named = p->named < POOLS_NAMED_MAX;
    p->named += e->is_named;
    make(p, e, &e->own, NULL, p->unlisted_tls);
    return e->pool;
}

/* ------------------------------------------------------------------- the map */

struct pools *pools_new(const struct connect_env *env)
{
    struct pools *p = NEW(struct pools);
    p->env = env;
    list_init(&p->listed);
    list_init(&p->unlisted);
    list_init(&p->retired);
    return p;
}

void pools_watch(struct pools *p, const struct pools_events *events, void *owner)
{
    p->events = events;
    p->owner = owner;
}

void pools_apply(struct pools *p, struct config *c, const struct tls_set *tls)
{
    struct config *old = p->snapshot;
    struct tls_context *old_tls = p->unlisted_tls;
    p->snapshot = config_ref(c);
    p->unlisted_tls = tls_context_ref(tls_set_unlisted(tls));
    for (struct link *k = list_first(&p->listed), *next; k; k = next) {
        next = list_next(k);
        const char *name = pool_origin(entry_of(k)->pool)->name;
        if (config_find(c, name, strlen(name)) == NULL)
            retire(p, entry_of(k));
    }
    for (struct link *k = list_first(&p->unlisted), *next; k; k = next) {
        next = list_next(k);
        if (is_listed_now(p, entry_of(k)))
            retire(p, entry_of(k));
    }
    for (size_t i = 0; i < c->upstream_count; i++)
        apply_listed(p, c->upstreams[i], tls_set_upstream(tls, i));
    apply_unlisted(p);
    config_unref(old);
    if (old_tls)
        tls_context_unref(old_tls);
}

struct pool *pools_find(struct pools *p, const struct upstream_config *listed,
                        const struct origin *o)
{
    if (listed == NULL)
        return find_unlisted(p, o);
    struct entry *e = find(p, listed->name);
    return e ? e->pool : NULL;
}

void pools_each(const struct pools *p, void (*visit)(void *context, const struct pool *),
                void *context)
{
    for (struct link *k = list_first(&p->listed); k; k = list_next(k))
        visit(context, entry_of(k)->pool);
    for (struct link *k = list_first(&p->unlisted); k; k = list_next(k))
        visit(context, entry_of(k)->pool);
}

/* A label that is taken, by an upstream or for the rest, is not given to a host as well. */
static bool has_label(const struct pools *p, const struct entry *e)
{
    const char *name = pool_origin(e->pool)->name;
    return e->is_named && strcmp(name, POOLS_OTHER) != 0 && !find(p, name);
}

void pools_each_label(const struct pools *p, pools_visit *visit, void *context)
{
    for (struct link *k = list_first(&p->listed); k; k = list_next(k))
        visit(context, entry_of(k)->pool, POOLS_LABEL_OWN);
    for (struct link *k = list_first(&p->unlisted); k; k = list_next(k))
        visit(context, entry_of(k)->pool,
              has_label(p, entry_of(k)) ? POOLS_LABEL_OWN : POOLS_LABEL_SHARED);
    for (struct link *k = list_first(&p->retired); k; k = list_next(k))
        if (entry_of(k)->host)
            visit(context, entry_of(k)->pool, POOLS_LABEL_RETIRED);
}

size_t pools_count(const struct pools *p)
{
    return p->listed.count + p->unlisted.count + p->retired.count;
}

const struct pool_sum *pools_gone(const struct pools *p)
{
    return &p->gone;
}

const char *pools_rest_name(const struct pools *p)
{
    return find(p, POOLS_OTHER) ? "other hosts" : POOLS_OTHER;
}

static size_t requests_of(const struct list *entries)
{
    size_t count = 0;
    for (struct link *k = list_first(entries); k; k = list_next(k))
        count += pool_requests(entry_of(k)->pool);
    return count;
}

size_t pools_requests(const struct pools *p)
{
    return requests_of(&p->listed) + requests_of(&p->unlisted) + requests_of(&p->retired);
}

bool pools_floor_tried(const struct pools *p)
{
    for (struct link *k = list_first(&p->listed); k; k = list_next(k))
        if (!pool_floor_tried(entry_of(k)->pool))
            return false;
    return true;
}

static void drain_all(const struct list *entries)
{
    for (struct link *k = list_first(entries); k; k = list_next(k))
        pool_drain(entry_of(k)->pool);
}

void pools_drain(struct pools *p)
{
    drain_all(&p->listed);
    drain_all(&p->unlisted);
}

static void command_all(const struct list *entries, enum pool_verb verb)
{
    for (struct link *k = list_first(entries); k; k = list_next(k))
        pool_command(entry_of(k)->pool, verb);
}

void pools_command(struct pools *p, enum pool_verb verb)
{
    if (verb == POOL_PAUSE || verb == POOL_RESUME)
        p->paused = verb == POOL_PAUSE;
    command_all(&p->listed, verb);
    command_all(&p->unlisted, verb);
}

void pools_ask_frozen(struct pools *p, const struct pool_freeze *freeze)
{
    p->freeze = *freeze;
}

static void look_frozen(const struct list *entries)
{
    for (struct link *k = list_first(entries); k; k = list_next(k))
        pool_look_frozen(entry_of(k)->pool);
}

void pools_look_frozen(struct pools *p)
{
    look_frozen(&p->listed);
    look_frozen(&p->unlisted);
}

static void free_all(struct pools *p, struct list *entries)
{
    struct link *k;
    while ((k = list_first(entries)))
        forget(p, entry_of(k));
}

void pools_free(struct pools *p)
{
    HASH_CLEAR(hh, p->map);
    free_all(p, &p->listed);
    free_all(p, &p->unlisted);
    free_all(p, &p->retired);
    pool_sum_clear(&p->gone);
    if (p->unlisted_tls)
        tls_context_unref(p->unlisted_tls);
    config_unref(p->snapshot);
    free(p);
}
