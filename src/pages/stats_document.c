#include "pages/stats_document.h"

#include <unistd.h>

#include "base/rare.h"
#include "pages/budget_json.h"
#include "pages/frozen_json.h"
#include "pages/json.h"
#include "pages/recent_json.h"
#include "pages/upstream_json.h"
#include "upstream/pools_snapshot.h"

/* Enough digits for microseconds over years, few enough that 0.1 stays 0.1. */
#define STATS_FORMAT (JSON_COMPACT | JSON_REAL_PRECISION(15))

static void add_bot(void *context, const struct bot *b)
{
    json_t *o = json_object();
#define BOT(key, value, meaning) json_place(o, key, value);
#include "pages/stats_page.def"
    CHECK(json_object_set_new(context, b->name, o) == 0);
}

static json_t *bots_json(const struct bots *bots)
{
    json_t *o = json_object();
    bots_each(bots, add_bot, o);
    return o;
}

struct adding {
    struct recent_sum *sum;
    uint64_t now_us;
};

static void add_recent(void *context, const struct pool *p)
{
    const struct adding *a = context;
    recent_sum_add(a->sum, pool_recent(p), a->now_us);
}

/* Of all upstreams, and of what ended without one. */
static json_t *last_5m_of_all(const struct stats_source *source)
{
    struct recent_sum sum;
    struct adding a = {&sum, loop_clock_us(source->loop)};
    recent_sum(&source->totals->unrouted, a.now_us, &sum);
    pools_each(source->pools, add_recent, &a);
    return last_5m_json(&sum);
}

/* The document without its arrays. */
static json_t *daemon_json(const struct stats_source *source)
{
    const struct totals *t = source->totals;
    json_t *o = json_object();
#define DAEMON(place, value, meaning) json_place(o, place, value);
#include "pages/stats_page.def"
    return o;
}

/* All of them, those that were never taken too. */
static json_t *rare_json(void)
{
    json_t *all = json_array();
    for (enum rare r = 0; r < RARE_COUNT; r++) {
        json_t *o = json_object();
#define BRANCH(key, value, meaning) json_place(o, key, value);
#include "pages/stats_page.def"
        CHECK(json_array_append_new(all, o) == 0);
    }
    return all;
}

/* ------------------------------------------------------------------ in pieces */

struct document {
    struct page_source base;
    struct loop *loop;
    const struct totals *totals;
    const struct freezes *freezes;
    json_t *daemon; /* until its piece is made */
    enum stats_extra extra;
    struct pools_snapshot *pools;
    size_t row; /* the next of them */
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
static void add_start(struct document *d, struct text *to)
{
    add_json(to, d->daemon);
    d->daemon = NULL;
    CHECK(to->at[to->len - 1] == '}');
    to->len--;
    text_add(to, SPAN(",\"upstreams\":["));
}

static void add_upstream(const struct document *d, struct text *to)
{
    struct pool_view view;
    pools_snapshot_view(d->pools, d->row, &view);
    json_t *row = upstream_json(&view, d->freezes);
    if (d->extra == STATS_RECENT)
        json_place(row, "recent", recent_json(view.recent, loop_clock_us(d->loop)));
    if (d->row)
        text_add(to, SPAN(","));
    add_json(to, row);
}

static void add_end(const struct document *d, struct text *to)
{
    text_add(to, SPAN("]"));
    if (d->extra == STATS_RECENT) {
        text_add(to, SPAN(",\"recent_errors\":"));
        add_json(to, recent_errors_json(&d->totals->recent_errors));
    }
    if (d->extra == STATS_RARE) {
        text_add(to, SPAN(",\"rare\":"));
        add_json(to, rare_json());
    }
    text_add(to, SPAN("}"));
}

static bool next(struct page_source *base, struct text *to)
{
    struct document *d = document_of(base);
    if (d->daemon) {
        add_start(d, to);
        return true;
    }
    if (d->row < pools_snapshot_count(d->pools)) {
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
    json_decref(d->daemon);
    pools_snapshot_free(d->pools);
    free(d);
}

struct page_source *stats_document_new(const struct stats_source *s, enum stats_extra extra)
{
    struct document *d = NEW(struct document);
    d->base = (struct page_source){next, free_document};
    d->loop = s->loop;
    d->totals = s->totals;
    d->freezes = s->freezes;
    d->daemon = daemon_json(s);
    d->extra = extra;
    d->pools = pools_snapshot_all(s->pools);
    return &d->base;
}
