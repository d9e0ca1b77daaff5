#include "proxy/state_keeper.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/log.h"
#include "proxy/saved_state.h"

#define SOON_MS 20 /* what happens together is written together */
#define LATER_MS 2000
#define MINUTE_MS 60000
#define KEY_SIZE 640   /* an origin or a name, and an exit */
#define AGAIN_MS 60000 /* a hold that ended is remembered so long (holds.h) */

struct state_keeper {
    struct loop *loop;
    struct pools *pools;
    struct freezes *freezes;
    struct saved_file *file; /* NULL: off */
    char path[PATH_MAX];
    bool was_read;
    /* As last read or written, with what belongs to pools that are gone or not made yet. */
    struct saved_state known;
    char damage[SAVED_STATE_WHY + 40]; /* "": none */
};

/* -------------------------------------------------------------- the two clocks */

struct clocks_now {
    int64_t wall_ms;
    uint64_t loop_ms;
};

static struct clocks_now clocks_now(const struct state_keeper *k)
{
    struct timespec t = loop_wall(k->loop);
    return (struct clocks_now){(int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000, loop_now(k->loop)};
}

static int64_t to_wall(const struct clocks_now *c, uint64_t loop_ms)
{
    return c->wall_ms + (int64_t)(loop_ms - c->loop_ms);
}

/* Within an hour of now, whatever the file says. */
static int64_t left_until(const struct clocks_now *c, int64_t wall_ms)
{
    const int64_t most = (int64_t)HOLD_MOST_MS;
    if (wall_ms > c->wall_ms)
        return wall_ms - c->wall_ms < most ? wall_ms - c->wall_ms : most;
    return c->wall_ms - wall_ms < most ? wall_ms - c->wall_ms : -most;
}

/* ------------------------------------------------------------------ collecting */

/* A host without a block is known by its origin, which is no upstream's name. Each exit of an upstream
 * has a budget of its own. */
static void key_of(const struct pool *p, const struct way *w, char key[KEY_SIZE])
{
    const struct pool_origin *o = pool_origin(p);
    snprintf(key, KEY_SIZE, "%s%s%s", o->listed ? o->name : o->origin,
             w->outlet->name ? " exit " : "", w->outlet->name ? w->outlet->name : "");
}

static void collect_hold(struct saved_budget *b, const struct hold *h, const struct clocks_now *c)
{
    if (h->until_ms == 0 || h->until_ms + (h->step_ms ? AGAIN_MS : 0) <= c->loop_ms)
        return;
    struct saved_hold saved = {.scope = h->scope,
                               .credential = h->credential,
                               .until_ms = to_wall(c, h->until_ms),
                               .lasts_ms = h->lasts_ms,
                               .step_ms = h->step_ms,
                               .status = h->status};
    memcpy(saved.bot, h->bot, sizeof saved.bot);
    memcpy(saved.path, h->path, sizeof saved.path);
    saved_budget_add(b, &saved);
}

static void collect_budget(struct state_keeper *k, const struct pool *p, const struct way *w)
{
    char key[KEY_SIZE];
    struct clocks_now c = clocks_now(k);
    const struct holds *h = gate_limits(w->gate);
    key_of(p, w, key);
    struct saved_budget *b = saved_state_budget(&k->known, key);
    saved_budget_clear(b);
    if (h->lifted_ms && to_wall(&c, h->lifted_ms) > b->lifted_ms)
        b->lifted_ms = to_wall(&c, h->lifted_ms);
    collect_hold(b, &h->public, &c);
    collect_hold(b, &h->all, &c);
    for (size_t i = 0; i < h->alone_count; i++)
        collect_hold(b, &h->alone[i], &c);
    if (h->weight < 0)
        return;
    b->weight = h->weight;
    b->weight_most = h->weight_most;
    b->weight_until_ms = to_wall(&c, h->weight_until_ms);
    b->weight_lifted = h->weight_lifted;
}

static void collect_budgets(void *context, const struct pool *p)
{
    EACH_EXIT(pool_ways_shown(p), w)
    collect_budget(context, p, w);
}

static void collect_freeze(void *context, const struct freeze *f)
{
    struct state_keeper *k = context;
    saved_state_add_freeze(&k->known, f);
}

static void collect(struct state_keeper *k)
{
    pools_each(k->pools, collect_budgets, k);
    saved_state_clear_freezes(&k->known);
    freezes_each(k->freezes, collect_freeze, k);
    saved_state_tidy(&k->known, clocks_now(k).wall_ms);
}

static void compose(void *owner, struct text *to)
{
    struct state_keeper *k = owner;
    collect(k);
    saved_state_print(&k->known, to);
}

/* ------------------------------------------------------------------- restoring */

static void restore_hold(struct pool *p, struct way *w, const struct saved_hold *saved,
                         const struct clocks_now *c)
{
    int64_t left = left_until(c, saved->until_ms);
    if (left < 0 && (uint64_t)-left >= c->loop_ms)
        return; /* before the machine started */
    struct hold h = {.scope = saved->scope,
                     .credential = saved->credential,
                     .until_ms = c->loop_ms + (uint64_t)left,
                     .lasts_ms = saved->lasts_ms,
                     .step_ms = saved->step_ms,
                     .status = saved->status};
    memcpy(h.bot, saved->bot, sizeof h.bot);
    memcpy(h.path, saved->path, sizeof h.path);
    const struct upstream_config *u = pool_settings(p);
    const struct hold *held = holds_restore(gate_limits(w->gate), &h, u->hold_max, c->loop_ms);
    if (held && u->retry_after)
        reported_limit_log_learned(held, "as before the restart", held->until_ms - c->loop_ms,
                                   w->lines.object);
}

static void restore_budget(const struct state_keeper *k, struct pool *p, struct way *w,
                           const char *key)
{
    struct clocks_now c = clocks_now(k);
    const struct saved_budget *b = saved_state_find(&k->known, key);
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->hold_count; i++)
        restore_hold(p, w, &b->holds[i], &c);
    int64_t left = left_until(&c, b->weight_until_ms);
    if (b->weight >= 0 && left > 0)
        holds_restore_weight(gate_limits(w->gate), b->weight, b->weight_most,
                             c.loop_ms + (left < MINUTE_MS ? (uint64_t)left : MINUTE_MS),
                             b->weight_lifted);
    gate_restored(w->gate);
}

/* The holds of a host stay when it gets a block. */
static void on_made(void *owner, struct pool *p, struct way *w)
{
    const struct state_keeper *k = owner;
    char key[KEY_SIZE];
    key_of(p, w, key);
    restore_budget(k, p, w, key);
    if (pool_origin(p)->listed && w->outlet->name == NULL)
        restore_budget(k, p, w, pool_origin(p)->origin);
}

static void on_limits(void *owner, bool is_urgent)
{
    struct state_keeper *k = owner;
    if (k->file)
        saved_file_change(k->file, is_urgent ? SOON_MS : LATER_MS);
}

static void on_freezes(void *owner)
{
    struct state_keeper *k = owner;
    pools_look_frozen(k->pools);
    k->known.freezes_changed_ms = clocks_now(k).wall_ms;
    if (k->file)
        saved_file_change(k->file, SOON_MS);
}

/* Those of all upstreams first: when one begins, it ends the exceptions from it. */
static void follow_freezes(struct state_keeper *k, const struct saved_state *theirs)
{
    for (size_t i = 0; i < k->known.freeze_count; i++) {
        const struct freeze *f = &k->known.freezes[i];
        if (!f->lifted && !saved_state_freeze(theirs, f->upstream, f->bot))
            freezes_lift(k->freezes, f->upstream, f->bot);
    }
    for (int named = 0; named < 2; named++) {
        for (size_t i = 0; i < theirs->freeze_count; i++) {
            const struct freeze *f = &theirs->freezes[i];
            if ((f->upstream != NULL) == named && !f->lifted)
                (void)!freezes_begin(k->freezes, f->upstream, f->bot, f->by);
            else if (named && f->lifted)
                freezes_lift(k->freezes, f->upstream, f->bot);
        }
    }
}

static void restore_all(void *context, struct pool *p, enum pools_label label)
{
    if (label == POOLS_LABEL_RETIRED)
        return;
    EACH_EXIT(pool_ways(p), w)
    on_made(context, p, w);
}

/* From another daemon: one of both drains, or they share the file for good. */
static bool merge(void *owner, struct span content)
{
    struct state_keeper *k = owner;
    struct saved_state theirs;
    char why[SAVED_STATE_WHY];
    if (!saved_state_parse(&theirs, content, why)) {
        LOG(ERROR, "state", "%s: another process wrote it, and it makes no sense: %s", k->path,
            why);
        return false;
    }
    LOG(INFO, "state", "%s: another process wrote it: merged", k->path);
    collect(k);
    if (theirs.freezes_changed_ms > k->known.freezes_changed_ms)
        follow_freezes(k, &theirs);
    saved_state_merge(&k->known, &theirs);
    saved_state_free(&theirs);
    pools_each_label(k->pools, restore_all, k);
    return true;
}

/* ------------------------------------------------------------------- its owner */

static const struct saved_file_events file_events = {compose, merge};

struct state_keeper *state_keeper_new(struct loop *loop, struct pools *pools,
                                      struct freezes *freezes)
{
    static const struct pools_events pools_events = {on_made, on_limits};
    struct state_keeper *k = NEW(struct state_keeper);
    k->loop = loop;
    k->pools = pools;
    k->freezes = freezes;
    freezes_watch(freezes, on_freezes, k);
    pools_watch(pools, &pools_events, k);
    return k;
}

const char *state_keeper_path(const char *directive, char path[PATH_MAX])
{
    const char *folder = getenv("STATE_DIRECTORY");
    if (directive)
        return strcmp(directive, "off") == 0 ? NULL : directive;
    if (folder == NULL || *folder == '\0')
        return NULL;
    /* systemd.exec(5): with several, there are colons between them */
    snprintf(path, PATH_MAX, "%.*s/state.json", (int)strcspn(folder, ":"), folder);
    return path;
}

bool state_keeper_check(const char *path, char *error, size_t size)
{
    int why = path ? whole_file_check(path) : 0;
    if (why)
        snprintf(error, size, "%s: cannot be written: %s", path, strerror(why));
    return why == 0;
}

static void take_damage(struct state_keeper *k, const char *why)
{
    snprintf(k->damage, sizeof k->damage, "%s", why);
    LOG(ERROR, "state",
        "%s: damaged: %s: what was frozen is not known, so everything is frozen "
        "until trunkline unfreeze",
        k->path, why);
    saved_file_put_aside(k->file);
    (void)!freezes_begin(k->freezes, NULL, NULL, "damaged state file");
}

static void restore_freezes(struct state_keeper *k)
{
    for (size_t i = 0; i < k->known.freeze_count; i++)
        freezes_restore(k->freezes, &k->known.freezes[i]);
    if (k->known.freeze_count)
        LOG(WARN, "state", "%s: what was frozen before the restart is frozen again", k->path);
}

static void read_file(struct state_keeper *k)
{
    struct text content = {0};
    char why[SAVED_STATE_WHY];
    int error = saved_file_read(k->file, &content);
    if (error && error != ENOENT)
        take_damage(k, strerror(error));
    else if (error == 0 && !saved_state_parse(&k->known, text_span(&content), why))
        take_damage(k, why);
    text_free(&content);
    restore_freezes(k);
    saved_state_tidy(&k->known, clocks_now(k).wall_ms);
}

void state_keeper_use(struct state_keeper *k, const char *path)
{
    bool same = path && k->file ? strcmp(path, k->path) == 0 : path == NULL && k->file == NULL;
    bool is_start = !k->was_read;
    if (k->was_read)
        collect(k); /* from pools that may be about to go */
    k->was_read = true;
    if (same)
        return;
    if (k->file)
        saved_file_free(k->file);
    k->file = NULL;
    if (path == NULL)
        return;
    snprintf(k->path, sizeof k->path, "%s", path);
    k->file = saved_file_new(k->loop, path, &file_events, k);
    if (is_start)
        read_file(k);
    saved_file_change(k->file, SOON_MS);
}

bool state_keeper_save(struct state_keeper *k, struct save_waiter *w)
{
    return k->file && saved_file_wait(k->file, w);
}

struct state_view state_keeper_view(const struct state_keeper *k)
{
    struct state_view v = {.damage = *k->damage ? k->damage : NULL};
    if (k->file)
        v.file = saved_file_view(k->file);
    return v;
}

void state_keeper_free(struct state_keeper *k)
{
    pools_watch(k->pools, NULL, NULL);
    freezes_watch(k->freezes, NULL, NULL);
    if (k->file) {
        saved_file_finish(k->file);
        saved_file_free(k->file);
    }
    saved_state_free(&k->known);
    free(k);
}
