#include "upstream/line.h"

#define MAGIC 0x6c696e65
#define ASKED_ON_MS 20 /* who looks later than that looks anew */

struct line {
    struct link link;
    unsigned magic;
    struct loop *loop;
    struct connector *connector;
    struct connecting *connecting; /* one of the two, or neither once closed */
    struct conn *conn;
    struct upstream_stats *stats;
    const struct line_events *events;
    void *owner;
    struct connect_report report;
    uint64_t up_us;                                   /* loop_clock_us() when it was established */
    uint64_t max_age_ms, old_at, idle_since, rest_ms; /* old_at 0: never */
    uint64_t unread_since, unread_seen;               /* something was unread, loop time; 0: not */
    unsigned uses, generation;
    bool idle, closed;
    bool alone; /* lent to one who shares it with nobody */
    struct deadline deadline;
    struct task free_later;
};

/* Each draws ±10 % at birth, so that a burst's lines do not all end at once. */
static uint64_t jittered(struct loop *loop, uint64_t ms)
{
    uint64_t permille = 900 + loop_random(loop) % 201;
    return ms / 1000 * permille + ms % 1000 * permille / 1000;
}

static void on_room(void *owner)
{
    struct line *l = owner;
    MAGIC_CHECK(l, MAGIC);
    l->events->on_room(l->owner, l);
}

static void on_full(void *owner)
{
    struct line *l = owner;
    MAGIC_CHECK(l, MAGIC);
    l->events->on_full(l->owner, l);
}

static void on_gone(void *owner, enum close_reason why, const char *detail)
{
    struct line *l = owner;
    MAGIC_CHECK(l, MAGIC);
    l->events->on_gone(l->owner, l, why, detail);
}

static void on_connected(void *owner, struct conn *c, const struct connect_report *report)
{
    static const struct conn_events conn_events = {on_room, on_full, on_gone};
    struct line *l = owner;
    MAGIC_CHECK(l, MAGIC);
    l->connecting = NULL;
    l->conn = c;
    c->events = &conn_events;
    c->owner = l;
    c->traffic = &l->stats->traffic;
    l->report = *report;
    l->up_us = loop_clock_us(l->loop);
    l->idle_since = loop_now(l->loop);
    if (l->max_age_ms)
        l->old_at = loop_now(l->loop) + jittered(l->loop, l->max_age_ms);
    l->events->on_up(l->owner, l);
}

static void on_failed(void *owner, enum failure why, const char *detail)
{
    struct line *l = owner;
    MAGIC_CHECK(l, MAGIC);
    l->connecting = NULL;
    l->events->on_failed(l->owner, l, why, detail);
}

static uint64_t due_at(const struct line *l)
{
    uint64_t idle =
        l->rest_ms > UINT64_MAX - l->idle_since ? UINT64_MAX : l->idle_since + l->rest_ms;
    return l->old_at && l->old_at < idle ? l->old_at : idle;
}

/* The deadline is left as it is while the line is lent, and moved only when it
 * comes too soon: a line in steady use moves it once in idle_timeout. */
static void on_due(struct deadline *d)
{
    struct line *l = container_of(d, struct line, deadline);
    MAGIC_CHECK(l, MAGIC);
    if (!l->idle)
        return;
    if (loop_now(l->loop) < due_at(l)) {
        deadline_at(&l->deadline, due_at(l));
        return;
    }
    l->events->on_due(l->owner, l, line_is_old(l) ? CLOSE_MAX_AGE : CLOSE_IDLE_TIMEOUT);
}

static void free_now(struct task *t)
{
    struct line *l = container_of(t, struct line, free_later);
    l->magic = 0;
    free(l);
}

static const struct connect_events connect_events = {on_connected, on_failed};

static struct line *create(struct loop *loop, struct connector *connector,
                           const struct upstream_config *settings, struct upstream_stats *stats,
                           const struct line_events *events, void *owner)
{
    struct line *l = NEW(struct line);
    l->magic = MAGIC;
    l->loop = loop;
    l->connector = connector;
    l->stats = stats;
    l->events = events;
    l->owner = owner;
    l->max_age_ms = settings->max_age;
    deadline_init(&l->deadline, loop, on_due);
    task_init(&l->free_later, free_now);
    return l;
}

struct line *line_new(struct loop *loop, struct connector *connector,
                      const struct upstream_config *settings, struct upstream_stats *stats,
                      const struct line_events *events, void *owner)
{
    struct line *l = create(loop, connector, settings, stats, events, owner);
    l->connecting = connector->ops->start(connector, settings, &connect_events, l);
    return l;
}

struct line *line_adopt(struct loop *loop, struct connector *connector,
                        const struct upstream_config *settings, struct upstream_stats *stats,
                        const struct line_events *events, void *owner, struct stream *stream,
                        const struct dial_report *report)
{
    struct line *l = create(loop, connector, settings, stats, events, owner);
    l->connecting = connector->ops->adopt(connector, settings, stream, report, &connect_events, l);
    return l;
}

struct link *line_link(struct line *l)
{
    return &l->link;
}

struct line *line_of(struct link *link)
{
    return LIST_ENTRY(link, struct line, link);
}

const struct connect_report *line_report(const struct line *l)
{
    return &l->report;
}

unsigned line_generation(const struct line *l)
{
    return l->generation;
}

void line_set_generation(struct line *l, unsigned generation)
{
    l->generation = generation;
}

void line_lend(struct line *l, bool alone)
{
    l->idle = false;
    l->alone = alone;
    if (l->uses++)
        l->stats->reused++;
}

size_t line_room(const struct line *l, size_t most)
{
    if (l->conn == NULL || l->alone)
        return 0;
    size_t room = conn_capacity(l->conn), load = conn_load(l->conn);
    if (!l->conn->shares)
        return room;
    size_t left = most > load ? most - load : 0;
    return room < left ? room : left;
}

bool line_open_up(struct line *l, size_t most)
{
    bool was_alone = l->alone;
    l->alone = false;
    bool has_room = was_alone && line_room(l, most) > 0;
    l->alone = was_alone && !has_room;
    return has_room;
}

size_t line_load(const struct line *l)
{
    return l->conn ? conn_load(l->conn) : 0;
}

bool line_shares(const struct line *l)
{
    return l->conn && l->conn->shares;
}

size_t line_allowed(const struct line *l)
{
    return l->conn ? l->conn->allowed : CONN_UNSAID;
}

uint64_t line_awaited_until(const struct line *l)
{
    return line_is_doubted(l) ? l->conn->awaited_until : 0;
}

bool line_is_doubted(const struct line *l)
{
    return l->conn && l->conn->doubted;
}

bool line_wants_http1(const struct line *l)
{
    return l->conn && l->conn->wants_http1;
}

bool line_is_quiet(struct line *l)
{
    uint64_t now = loop_now(l->loop);
    bool is_quiet = l->conn && conn_is_quiet(l->conn);
    if (is_quiet)
        l->unread_since = 0;
    else if (l->unread_since == 0 || now - l->unread_seen > ASKED_ON_MS)
        l->unread_since = now;
    l->unread_seen = now;
    return is_quiet;
}

uint64_t line_unread_ms(const struct line *l)
{
    return l->unread_since ? l->unread_seen - l->unread_since : 0;
}

void line_rest(struct line *l, uint64_t idle_ms)
{
    l->idle = true;
    l->alone = false;
    l->idle_since = loop_now(l->loop);
    l->rest_ms = idle_ms;
    if (l->conn && l->conn->rest_most_ms && l->conn->rest_most_ms < idle_ms)
        l->rest_ms = l->conn->rest_most_ms;
    uint64_t due = due_at(l);
    if (!deadline_is_set(&l->deadline) || due < l->deadline.due)
        deadline_at(&l->deadline, due);
}

bool line_is_old(const struct line *l)
{
    return l->old_at && loop_now(l->loop) >= l->old_at;
}

unsigned line_uses(const struct line *l)
{
    return l->uses;
}

uint64_t line_idle_ms(const struct line *l)
{
    return l->idle ? loop_now(l->loop) - l->idle_since : 0;
}

struct exchange *line_open(struct line *l, const struct conn_request *r,
                           const struct exchange_events *events, void *owner)
{
    return conn_open(l->conn, r, events, owner);
}

struct stream *line_surrender(struct line *l, struct span *ahead)
{
    return conn_surrender(l->conn, ahead);
}

void line_describe(const struct line *l, struct line_facts *facts)
{
    *facts = (struct line_facts){
        .reused = l->uses > 1,
        .dns_us = l->report.dns_us,
        .connect_us = l->report.connect_us,
        .tls_us = l->report.tls_us,
        .up_us = l->up_us,
        .protocol = l->conn ? l->conn->protocol : NULL,
    };
}

void line_close(struct line *l)
{
    if (l->closed)
        return;
    l->closed = true;
    deadline_stop(&l->deadline);
    if (l->connecting)
        l->connector->ops->cancel(l->connecting);
    if (l->conn)
        conn_close(l->conn);
    l->connecting = NULL;
    l->conn = NULL;
    loop_defer(l->loop, &l->free_later);
}
