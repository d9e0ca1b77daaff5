#include "pages/stats_document.h"

#include <jansson.h>
#include <unistd.h>

#include "pages/recent_json.h"
#include "pages/upstream_json.h"
#include "upstream/pools_snapshot.h"

/* Enough digits for microseconds over years, few enough that 0.1 stays 0.1. */
#define STATS_FORMAT (JSON_COMPACT | JSON_REAL_PRECISION(15))

static void set(json_t *object, const char *key, json_t *value)
{
    CHECK(json_object_set_new(object, key, value) == 0);
}

static json_t *clients_json(const struct admin *a)
{
    struct client_counts c = {0};
    a->count_clients(a->context, &c);
    return json_pack("{s:I,s:I,s:I}", "open", (json_int_t)c.open, "accepted",
                     (json_int_t)c.accepted, "rejected", (json_int_t)c.rejected);
}

static json_t *stored_json(const struct admin *a)
{
    struct store_counts c = {0};
    a->count_stored(a->context, &c);
    return json_pack("{s:I,s:I}", "entries", (json_int_t)c.entries, "bytes", (json_int_t)c.bytes);
}

static void add_bot(void *context, const struct bot *b)
{
    set(context, b->name,
        json_pack("{s:I,s:I,s:I}", "requests", (json_int_t)b->requests, "failed",
                  (json_int_t)b->failed, "weight", (json_int_t)b->weight));
}

static json_t *bots_json(const struct bots *bots)
{
    json_t *o = json_object();
    bots_each(bots, add_bot, o);
    return o;
}

/* A path is bytes; JSON is UTF-8. */
static json_t *path_json(const char *path)
{
    json_t *s = json_string(path);
    return s ? s : json_string("(not UTF-8)");
}

/* Everything but the upstreams and what stands behind them. */
static json_t *daemon_json(const struct admin *a)
{
    const struct totals *t = a->totals;
    json_t *o = json_object();
    set(o, "version", json_string(PACKAGE_VERSION));
    set(o, "pid", json_integer(getpid()));
    set(o, "uptime_s", json_real((double)((loop_clock_us(a->loop) - a->started_us) / 1000) / 1000));
    set(o, "draining", json_boolean(a->draining));
    set(o, "config", path_json(a->config_path));
    set(o, "clients", clients_json(a));
    set(o, "requests",
        requests_json(t->under_way.requests.count, t->succeeded, t->failed, t->abandoned));
    set(o, "cache", stored_json(a));
    set(o, "bots", bots_json(&t->bots));
    return o;
}

/* ------------------------------------------------------------------ in pieces */

struct document {
    struct page_source base;
    const struct admin *admin;
    bool recent, begun;
    struct pools_snapshot *walk;
    size_t row; /* what comes next */
};

static struct document *document_of(struct page_source *base)
{
    return container_of(base, struct document, base);
}

static int append(const char *data, size_t len, void *to)
{
    text_add(to, (struct span){data, len});
    return 0;
}

static void add_json(struct text *to, json_t *value)
{
    CHECK(json_dump_callback(value, append, to, STATS_FORMAT) == 0);
    json_decref(value);
}

/* The object stays open. */
static void add_start(const struct document *d, struct text *to)
{
    add_json(to, daemon_json(d->admin));
    CHECK(to->at[to->len - 1] == '}');
    to->len--;
    text_add(to, SPAN(",\"upstreams\":["));
}

static void add_upstream(const struct document *d, struct text *to)
{
    struct pool_view view;
    pools_snapshot_view(d->walk, d->row, &view);
    json_t *row = upstream_json(&view);
    if (d->recent)
        set(row, "recent", recent_json(&view.stats->recent, loop_clock_us(d->admin->loop)));
    if (d->row)
        text_add(to, SPAN(","));
    add_json(to, row);
}

static void add_end(const struct document *d, struct text *to)
{
    text_add(to, SPAN("]"));
    if (d->recent) {
        text_add(to, SPAN(",\"recent_errors\":"));
        add_json(to, recent_errors_json(&d->admin->totals->recent_errors));
    }
    text_add(to, SPAN("}"));
}

static bool next(struct page_source *base, struct text *to)
{
    struct document *d = document_of(base);
    bool begins = !d->begun;
    d->begun = true;
    if (begins) {
        add_start(d, to);
        return true;
    }
    if (d->row < pools_snapshot_count(d->walk)) {
        add_upstream(d, to);
        d->row++;
        return true;
    }
    add_end(d, to);
    return false;
}

static void free_document(struct page_source *base)
{
    struct document *d = document_of(base);
    pools_snapshot_free(d->walk);
    free(d);
}

struct page_source *stats_document_new(const struct admin *a, bool recent)
{
    struct document *d = NEW(struct document);
    d->base = (struct page_source){next, free_document};
    d->admin = a;
    d->recent = recent;
    d->walk = pools_snapshot_all(a->pools);
    return &d->base;
}
