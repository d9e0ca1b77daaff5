#include "upstream/line.h"

#include <inttypes.h>
#include <stdio.h>

#define MAGIC 0x6c696e65
#define CLAIM_ASKED_WITHIN_US 100 /* see lines_take.c */
#define ASKED_ON_MS 20            /* a look at what is unread that comes later begins anew */

struct line {
    struct link link;
    unsigned magic;
    enum line_state state;
    uint64_t number;
    const struct line_env *env;
    struct connecting *connecting; /* one of the two, or neither once it failed or was closed */
    struct conn *conn;
    const struct line_events *events;
    void *owner;
    struct connect_report report;
    char address[ADDRESS_TEXT];
    uint64_t dialled_ms;                              /* when it was made */
    uint64_t up_us, up_ms;                            /* when it was established */
    uint64_t max_age_ms, old_at, idle_since, rest_ms; /* old_at 0: never */
    uint64_t unread_since, unread_seen;               /* loop time; 0: nothing was unread */
    unsigned uses, generation;
    struct list holds;        /* of those that will open an exchange on it */
    struct deadline deadline; /* of its rest */
    struct task back;         /* it was lent, and not used */
    struct task free_later;
};

static void enter(struct line *l, enum line_state to)
{
    STATE_ENTER(line, &l->state, to, l->env->object, l->number);
}

/* At debug, with the number of the line behind the words. */
#define TELL(l, format, ...)                                                                       \
    LOG(DEBUG, (l)->env->object, format " line=%" PRIu64, __VA_ARGS__, (l)->number)

static uint64_t now_ms(const struct line *l)
{
    return loop_now(l->env->loop);
}

/* ------------------------------------------------------------------- opening */

/* Each line draws ±10 % when it comes up, so that the lines of a burst do not all end at once. */
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

static void on_back(struct task *task)
{
    on_room(container_of(task, struct line, back));
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

static void note_address(struct line *l)
{
    if (l->report.peer.ss_family == AF_UNSPEC)
        snprintf(l->address, sizeof l->address, "unix socket");
    else
        address_format(&l->report.peer, l->address);
}

static void tell_up(const struct line *l)
{
    const struct connect_report *r = &l->report;
    if (r->secure)
        TELL(l, "connected to %s: %s, dns %" PRIu64 " ms, tcp %" PRIu64 " ms, %s %" PRIu64 " ms%s",
             l->address, l->conn->protocol, r->dns_us / 1000, r->connect_us / 1000,
             r->tls_version ? r->tls_version : "TLS", r->tls_us / 1000,
             r->resumed ? " (resumed)" : "");
    else
        TELL(l, "connected to %s: %s, dns %" PRIu64 " ms, tcp %" PRIu64 " ms", l->address,
             l->conn->protocol, r->dns_us / 1000, r->connect_us / 1000);
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
    c->traffic = &l->env->stats->traffic;
    c->log_object = l->env->object;
    c->log_id = l->number;
    l->report = *report;
    note_address(l);
    l->up_us = loop_clock_us(l->env->loop);
    l->up_ms = l->idle_since = now_ms(l);
    if (l->max_age_ms)
        l->old_at = l->up_ms + jittered(l->env->loop, l->max_age_ms);
    enter(l, LINE_UP);
    tell_up(l);
    l->events->on_up(l->owner, l);
}

static void on_failed(void *owner, enum failure why, const char *detail)
{
    struct line *l = owner;
    MAGIC_CHECK(l, MAGIC);
    l->connecting = NULL;
    l->events->on_failed(l->owner, l, why, detail);
}

/* -------------------------------------------------------------------- resting */

static uint64_t due_at(const struct line *l)
{
    uint64_t idle =
        l->rest_ms > UINT64_MAX - l->idle_since ? UINT64_MAX : l->idle_since + l->rest_ms;
    return l->old_at && l->old_at < idle ? l->old_at : idle;
}

/* The deadline is left as it is while the line is lent, and moved only when it comes too
 * soon: a line in steady use moves it once in idle_timeout. */
static void on_due(struct deadline *d)
{
    struct line *l = container_of(d, struct line, deadline);
    MAGIC_CHECK(l, MAGIC);
    if (l->state != LINE_IDLE)
        return;
    if (now_ms(l) < due_at(l)) {
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

/* -------------------------------------------------------------------- its life */

static const struct connect_events connect_events = {on_connected, on_failed};

static struct line *create(const struct line_env *env, const struct upstream_config *settings,
                           const struct line_events *events, void *owner)
{
    struct line *l = NEW(struct line);
    l->magic = MAGIC;
    l->number = loop_number(env->loop);
    l->env = env;
    l->events = events;
    l->owner = owner;
    l->dialled_ms = now_ms(l);
    l->max_age_ms = settings->max_age;
    list_init(&l->holds);
    deadline_init(&l->deadline, env->loop, on_due);
    task_init(&l->back, on_back);
    task_init(&l->free_later, free_now);
    return l;
}

struct line *line_new(const struct line_env *env, const struct upstream_config *settings,
                      const char *why, const struct line_events *events, void *owner)
{
    struct line *l = create(env, settings, events, owner);
    TELL(l, "dialling for %s", why);
    l->connecting = env->connector->ops->start(env->connector, settings, &connect_events, l);
    return l;
}

struct line *line_adopt(const struct line_env *env, const struct upstream_config *settings,
                        const struct line_events *events, void *owner, struct stream *stream,
                        const struct dial_report *report)
{
    struct line *l = create(env, settings, events, owner);
    TELL(l, "taken over from %s", "a tunnel");
    l->connecting =
        env->connector->ops->adopt(env->connector, settings, stream, report, &connect_events, l);
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

void line_move(struct line *l, struct list *to)
{
    list_remove(&l->link);
    list_push_back(to, &l->link);
}

uint64_t line_number(const struct line *l)
{
    return l->number;
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

/* -------------------------------------------------------------------- its use */

void line_lend(struct line *l, bool alone)
{
    enter(l, alone ? LINE_LENT_ALONE : LINE_LENT);
    if (l->uses++)
        l->env->stats->reused++;
}

void line_return(struct line *l)
{
    if (--l->uses)
        l->env->stats->reused--;
    loop_defer(l->env->loop, &l->back);
}

void line_keep(struct line *l, struct line_hold *h)
{
    h->line = l;
    list_push_back(&l->holds, &h->link);
}

static struct line *end_hold(struct line_hold *h)
{
    struct line *l = h->line;
    list_remove(&h->link);
    h->line = NULL;
    return l;
}

/* On an HTTP/2 line anything may have come; whether it still takes requests it says itself. */
static bool is_usable(struct line *l)
{
    if (conn_capacity(l->conn) == 0)
        return false;
    return l->conn->shares || line_is_quiet(l, CLAIM_ASKED_WITHIN_US);
}

struct line *line_claim(struct line_hold *h)
{
    struct line *l = end_hold(h);
    if (l == NULL || is_usable(l))
        return l;
    line_return(l);
    return NULL;
}

void line_unkeep(struct line_hold *h)
{
    struct line *l = end_hold(h);
    if (l)
        line_return(l);
}

static size_t room_of(const struct line *l, size_t most)
{
    if (l->conn == NULL)
        return 0;
    size_t room = conn_capacity(l->conn), load = line_load(l), held = l->holds.count;
    room = room > held ? room - held : 0;
    if (!l->conn->shares)
        return room;
    size_t left = most > load ? most - load : 0;
    return room < left ? room : left;
}

size_t line_room(const struct line *l, size_t most)
{
    return l->state == LINE_LENT_ALONE ? 0 : room_of(l, most);
}

bool line_open_up(struct line *l, size_t most)
{
    if (l->state != LINE_LENT_ALONE || room_of(l, most) == 0)
        return false;
    enter(l, LINE_LENT);
    return true;
}

size_t line_load(const struct line *l)
{
    return l->conn ? conn_load(l->conn) + l->holds.count : 0;
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

bool line_is_quiet(struct line *l, uint64_t within_us)
{
    uint64_t now = now_ms(l);
    bool is_quiet = l->conn && conn_is_quiet(l->conn, within_us);
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
    enter(l, LINE_IDLE);
    l->idle_since = now_ms(l);
    l->rest_ms = idle_ms;
    if (l->conn && l->conn->rest_most_ms && l->conn->rest_most_ms < idle_ms)
        l->rest_ms = l->conn->rest_most_ms;
    uint64_t due = due_at(l);
    if (!deadline_is_set(&l->deadline) || due < l->deadline.due)
        deadline_at(&l->deadline, due);
}

bool line_is_old(const struct line *l)
{
    return l->old_at && now_ms(l) >= l->old_at;
}

unsigned line_uses(const struct line *l)
{
    return l->uses;
}

uint64_t line_idle_ms(const struct line *l)
{
    return l->state == LINE_IDLE ? now_ms(l) - l->idle_since : 0;
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
        .number = l->number,
        .reused = l->uses > 1,
        .dns_us = l->report.dns_us,
        .connect_us = l->report.connect_us,
        .tls_us = l->report.tls_us,
        .up_us = l->up_us,
        .protocol = l->conn ? l->conn->protocol : NULL,
    };
    memcpy(facts->address, l->address, sizeof facts->address);
}

static const char *state_shown(const struct line *l)
{
    return l->conn == NULL         ? "connecting"
           : line_is_doubted(l)    ? "doubted"
           : l->state == LINE_IDLE ? "idle"
                                   : "active";
}

void line_view(const struct line *l, struct line_view *view)
{
    *view = (struct line_view){
        .number = l->number,
        .state = state_shown(l),
        .address = l->address,
        .protocol = l->conn ? l->conn->protocol : NULL,
        .age_ms = now_ms(l) - (l->conn ? l->up_ms : l->dialled_ms),
        .idle_ms = line_idle_ms(l),
        .uses = l->uses,
        .load = line_load(l),
    };
}

/* ------------------------------------------------------------------- closing */

static void tell_closed(const struct line *l, const char *reason, const char *detail)
{
    const char *name = reason ? reason : "uncounted";
    if (l->state == LINE_CONNECTING)
        TELL(l, "not connected: %s", detail);
    else
        TELL(l, "closed: %s, %s (%u requests, idle for %" PRIu64 " ms, %" PRIu64 " ms old)", name,
             detail, l->uses, line_idle_ms(l), now_ms(l) - l->up_ms);
}

void line_close(struct line *l, const char *reason, const char *detail)
{
    if (l->state == LINE_CLOSED)
        return;
    tell_closed(l, reason, detail);
    enter(l, LINE_CLOSED);
    deadline_stop(&l->deadline);
    task_forget(&l->back);
    if (l->connecting)
        l->env->connector->ops->cancel(l->connecting);
    if (l->conn)
        conn_close(l->conn);
    l->connecting = NULL;
    l->conn = NULL;
    while (l->holds.count)
        end_hold(container_of(list_first(&l->holds), struct line_hold, link));
    loop_defer(l->env->loop, &l->free_later);
}
