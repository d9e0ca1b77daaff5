#include "budget/budget_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/state.h"

#define MAGIC 0x62756467
#define IN_A_ROW 3
#define PROBE_MIN_MS 20
#define RECONNECT_MIN_MS 100
#define BACKOFF_MAX_MS 1000
#define SILENT_MS 5000 /* a connection that owes an answer for so long is given up */

#define BUDGET_STORE_STATES(S)                                                                     \
    S(STORE_OFF, "off", TO(STORE_STARTING))                                                        \
    S(STORE_STARTING, "starting", TO(STORE_OFF) | TO(STORE_UP) | TO(STORE_OUTAGE))                 \
    S(STORE_UP, "up", TO(STORE_OFF) | TO(STORE_STARTING) | TO(STORE_OUTAGE))                       \
    S(STORE_OUTAGE, "outage", TO(STORE_OFF) | TO(STORE_STARTING) | TO(STORE_UP))
STATE_TYPE(budget_store, BUDGET_STORE_STATES)

/* A question that has been sent. Replies come in the same order. */
struct flight {
    struct link link;
    struct store_member *member; /* NULL: it has left */
    uint64_t sent_us;
    bool is_whole; /* with the script itself */
    bool is_late;
};

struct budget_store {
    unsigned magic;
    enum budget_store_state state;
    struct store_env env;
    struct config *config; /* NULL: none yet */
    struct tls_context *tls;
    char id[17];
    struct list members, waiting, flights;
    struct store_conn *conn; /* NULL: not even dialling */
    bool is_ready;
    struct text out; /* what is sent at the end of this turn */
    struct task send;
    struct deadline late;            /* when the oldest question is overdue */
    bool is_overdue;                 /* it was at the last look: one more turn of the loop */
    struct deadline retry;           /* to connect, or to probe */
    uint64_t backoff_ms, waiting_ms; /* waiting_ms: since when one waits for a connection */
    unsigned in_time;                /* answers in a row, in an outage */
    char why[STORE_WHY_SIZE];
    int64_t since_s;
    uint64_t since_ms, round_trip_us, asked, answered, late_count, outages;
};

static struct budget_store *self(void *owner)
{
    struct budget_store *s = owner;
    MAGIC_CHECK(s, MAGIC);
    return s;
}

static uint64_t now_of(const struct budget_store *s)
{
    return loop_now(s->env.loop);
}

enum budget_store_mode budget_store_mode(const struct budget_store *s)
{
    return s->state == STORE_OFF  ? BUDGET_STORE_OFF
           : s->state == STORE_UP ? BUDGET_STORE_UP
                                  : BUDGET_STORE_AWAY;
}

static void enter(struct budget_store *s, enum budget_store_state to)
{
    enum budget_store_mode before = budget_store_mode(s);
    STATE_ENTER(budget_store, &s->state, to, "budget_store", 0);
    s->since_s = loop_wall_s(s->env.loop);
    s->since_ms = now_of(s);
    s->in_time = 0;
    if (before == budget_store_mode(s))
        return;
    LIST_FOR (&s->members, m, struct store_member, link)
        m->on_mode(m->owner);
}

/* -------------------------------------------------------------------- outages */

static void go_out(struct budget_store *s, const char *why)
{
    s->in_time = 0;
    if (s->state == STORE_OUTAGE || s->state == STORE_OFF)
        return;
    snprintf(s->why, sizeof s->why, "%s", why);
    s->outages++;
    LOG(WARN, "budget_store", "%s: outage: %s; each rate is divided until it is back",
        s->config->budget_store.text, s->why);
    while (s->waiting.count)
        list_remove(list_first(&s->waiting));
    enter(s, STORE_OUTAGE);
}

static void come_back(struct budget_store *s)
{
    char lasted[DURATION_TEXT_SIZE];
    if (s->state == STORE_OUTAGE)
        LOG(INFO, "budget_store", "%s: back after %s: budgets are shared again",
            s->config->budget_store.text, duration_text(lasted, now_of(s) - s->since_ms));
    else
        LOG(INFO, "budget_store", "%s: connected: budgets are shared",
            s->config->budget_store.text);
    s->backoff_ms = 0;
    s->why[0] = '\0';
    enter(s, STORE_UP);
}

/* -------------------------------------------------------------------- waiting */

static struct flight *oldest(const struct budget_store *s)
{
    return LIST_ENTRY(list_first(&s->flights), struct flight, link);
}

/* When something is overdue next (loop time); UINT64_MAX: nothing is awaited. */
static uint64_t overdue_at(const struct budget_store *s)
{
    const struct flight *f = oldest(s);
    uint64_t timeout = budget_store_timeout_ms(s), now = now_of(s), at = UINT64_MAX;
    if (f && f->sent_us) {
        uint64_t gone = (loop_clock_us(s->env.loop) - f->sent_us) / 1000;
        uint64_t allowed = f->is_late ? SILENT_MS : timeout;
        at = gone > allowed ? now : now + allowed + 1 - gone;
    }
    if (s->waiting.count && s->waiting_ms + timeout + 1 < at)
        at = s->waiting_ms + timeout + 1;
    return at;
}

static void watch(struct budget_store *s)
{
    uint64_t at = overdue_at(s);
    s->is_overdue = false;
    if (at == UINT64_MAX)
        deadline_stop(&s->late);
    else
        deadline_at(&s->late, at);
}

static void retry_later(struct budget_store *s, uint64_t least_ms)
{
    s->backoff_ms = s->backoff_ms ? 2 * s->backoff_ms : least_ms;
    if (s->backoff_ms > BACKOFF_MAX_MS)
        s->backoff_ms = BACKOFF_MAX_MS;
    if (!deadline_is_set(&s->retry))
        deadline_in(&s->retry, s->backoff_ms + loop_random(s->env.loop) % (s->backoff_ms / 4 + 1));
}

/* Ends it. Returns what it was. */
static struct flight landed(struct flight *f)
{
    struct flight was = *f;
    list_remove(&f->link);
    free(f);
    return was;
}

static void lose_flights(struct budget_store *s)
{
    struct flight *f;
    while ((f = oldest(s))) {
        struct store_member *m = landed(f).member;
        if (m == NULL)
            continue;
        m->is_asking = false;
        m->on_lost(m->owner);
    }
}

static void drop(struct budget_store *s)
{
    if (s->conn)
        store_conn_close(s->conn);
    s->conn = NULL;
    s->is_ready = false;
    text_clear(&s->out);
    task_forget(&s->send);
    lose_flights(s);
}

/* A connection that nobody waits for may end without harm: it is opened again. */
static void on_end(void *owner, const char *why)
{
    struct budget_store *s = self(owner);
    bool was_ready = s->is_ready, is_needed = s->flights.count + s->waiting.count > 0;
    if (!was_ready || is_needed)
        go_out(s, why);
    drop(s);
    watch(s);
    if (was_ready && !is_needed)
        s->backoff_ms = 0;
    retry_later(s, RECONNECT_MIN_MS);
}

static void conclude(struct budget_store *s)
{
    const struct flight *f = oldest(s);
    char why[STORE_WHY_SIZE], timeout[DURATION_TEXT_SIZE];
    if (f && f->is_late) {
        go_out(s, "the store does not answer");
        drop(s);
        retry_later(s, RECONNECT_MIN_MS);
        return;
    }
    s->late_count++;
    LIST_FOR (&s->flights, late, struct flight, link)
        late->is_late = true;
    snprintf(why, sizeof why, "no %s within %s", f ? "answer" : "connection",
             duration_text(timeout, budget_store_timeout_ms(s)));
    go_out(s, why);
}

/* Answers that are there already when their time is up were in time: what has come is read once
 * more before anything is concluded. */
static void on_late(struct deadline *d)
{
    struct budget_store *s = self(container_of(d, struct budget_store, late));
    if (overdue_at(s) > now_of(s)) {
        watch(s);
    } else if (!s->is_overdue) {
        s->is_overdue = true;
        deadline_in(&s->late, 0);
    } else {
        conclude(s);
        watch(s);
    }
}

/* -------------------------------------------------------------------- sending */

static void on_send(struct task *t)
{
    struct budget_store *s = self(container_of(t, struct budget_store, send));
    uint64_t now_us = loop_clock_us(s->env.loop);
    LIST_FOR (&s->flights, f, struct flight, link)
        if (f->sent_us == 0)
            f->sent_us = now_us;
    if (s->out.len)
        store_conn_send(s->conn, text_span(&s->out));
    text_clear(&s->out);
    watch(s);
}

static void put(struct budget_store *s, struct store_member *m, bool is_whole, uint64_t sent_us)
{
    struct flight *f = NEW(struct flight);
    f->member = m;
    f->is_whole = is_whole;
    f->sent_us = sent_us;
    m->is_asking = true;
    m->write(m->owner, is_whole, &s->out);
    list_push_back(&s->flights, &f->link);
    s->asked++;
    loop_defer_last(s->env.loop, &s->send);
}

void budget_store_ask(struct store_member *m)
{
    struct budget_store *s = m->store;
    CHECK(!m->is_asking);
    if (s->state != STORE_UP || m->waiting.on)
        return;
    if (s->is_ready) {
        put(s, m, false, 0);
        return;
    }
    if (s->waiting.count == 0)
        s->waiting_ms = now_of(s);
    list_push_back(&s->waiting, &m->waiting);
    watch(s);
}

/* In an outage one of them asks at a time, each in its turn. */
static void probe(struct budget_store *s)
{
    struct store_member *m = LIST_ENTRY(list_first(&s->members), struct store_member, link);
    if (s->flights.count || m == NULL)
        return;
    list_remove(&m->link);
    list_push_back(&s->members, &m->link);
    put(s, m, false, 0);
}

static const struct store_conn_events conn_events;

static void dial(struct budget_store *s)
{
    s->conn = store_conn_open(&s->env, s->config, s->tls, &conn_events, s);
}

static void on_retry(struct deadline *d)
{
    struct budget_store *s = self(container_of(d, struct budget_store, retry));
    if (s->conn == NULL)
        dial(s);
    else if (s->is_ready && s->state == STORE_OUTAGE)
        probe(s);
}

static void go_on(struct budget_store *s)
{
    s->backoff_ms = 0;
    LIST_FOR (&s->members, m, struct store_member, link)
        m->on_reconnected(m->owner);
}

static void on_ready(void *owner)
{
    struct budget_store *s = self(owner);
    s->is_ready = true;
    if (s->state == STORE_STARTING)
        come_back(s);
    else if (s->state == STORE_OUTAGE)
        probe(s);
    else
        go_on(s);
    while (s->waiting.count) {
        struct store_member *m = LIST_ENTRY(list_first(&s->waiting), struct store_member, waiting);
        list_remove(&m->waiting);
        put(s, m, false, 0);
    }
    if (s->state == STORE_OUTAGE && s->members.count == 0)
        come_back(s); /* nobody asks: that it has answered the login must do */
    watch(s);
}

/* ------------------------------------------------------------------ answers */

static void judge(struct budget_store *s, bool is_late, const char *wrong)
{
    if (wrong) {
        go_out(s, wrong);
        snprintf(s->why, sizeof s->why, "%s", wrong); /* in an outage, the latest reason */
    }
    if (s->state != STORE_OUTAGE)
        return;
    s->in_time = is_late || wrong ? 0 : s->in_time + 1;
    if (s->in_time >= IN_A_ROW) {
        come_back(s);
    } else {
        if (s->in_time)
            s->backoff_ms = 0;
        retry_later(s, PROBE_MIN_MS);
    }
}

static bool is_unknown_script(const struct store_reply *r)
{
    return r->type == STORE_ERROR && span_starts(r->text, SPAN("NOSCRIPT"));
}

static void on_reply(void *owner, const struct store_reply *r)
{
    struct budget_store *s = self(owner);
    struct flight *f = oldest(s);
    char wrong[STORE_WHY_SIZE] = "";
    if (f == NULL || f->sent_us == 0) {
        go_out(s, "the store answers what was not asked");
        drop(s);
        retry_later(s, RECONNECT_MIN_MS);
        return;
    }
    const struct flight was = landed(f);
    s->answered++;
    if (is_unknown_script(r) && !was.is_whole && was.member) {
        put(s, was.member, true, was.sent_us);
        return;
    }
    s->round_trip_us = loop_clock_us(s->env.loop) - was.sent_us;
    if (r->type == STORE_ERROR)
        store_error_words(r->text, wrong);
    if (was.member)
        was.member->is_asking = false;
    if (was.member && *wrong)
        was.member->on_lost(was.member->owner);
    else if (was.member && !was.member->on_answer(was.member->owner, r, was.is_late))
        snprintf(wrong, sizeof wrong, "the store answers with something else");
    judge(s, was.is_late, *wrong ? wrong : NULL);
    watch(s);
}

static const struct store_conn_events conn_events = {on_ready, on_reply, on_end};

/* -------------------------------------------------------------------- members */

void budget_store_join(struct budget_store *s, struct store_member *m)
{
    m->store = s;
    m->is_asking = false;
    m->waiting = (struct link){0};
    list_push_back(&s->members, &m->link);
}

void budget_store_leave(struct store_member *m)
{
    struct budget_store *s = m->store;
    list_remove(&m->link);
    list_remove(&m->waiting);
    LIST_FOR (&s->flights, f, struct flight, link)
        if (f->member == m)
            f->member = NULL;
}

uint64_t budget_store_timeout_ms(const struct budget_store *s)
{
    return s->config->budget_timeout;
}

unsigned budget_store_percent(const struct budget_store *s)
{
    return s->config->budget_share;
}

struct span budget_store_id(const struct budget_store *s)
{
    return span_of(s->id);
}

struct loop *budget_store_loop(const struct budget_store *s)
{
    return s->env.loop;
}

void budget_store_describe(const struct budget_store *s, struct budget_store_view *v)
{
    bool is_off = s->state == STORE_OFF;
    *v = (struct budget_store_view){.name = is_off ? NULL : s->config->budget_store.text,
                                    .word = budget_store_state_name(s->state),
                                    .why = *s->why ? s->why : NULL,
                                    .since_s = s->since_s,
                                    .round_trip_us = s->round_trip_us,
                                    .asked = s->asked,
                                    .answered = s->answered,
                                    .late = s->late_count,
                                    .outages = s->outages};
}

/* ----------------------------------------------------------------------- life */

struct budget_store *budget_store_new(const struct store_env *env)
{
    struct budget_store *s = NEW(struct budget_store);
    MAGIC_INIT(s, MAGIC);
    s->env = *env;
    s->since_s = loop_wall_s(env->loop);
    snprintf(s->id, sizeof s->id, "%08" PRIx32 "%08" PRIx32, loop_random(env->loop),
             loop_random(env->loop));
    list_init(&s->members);
    list_init(&s->waiting);
    list_init(&s->flights);
    task_init(&s->send, on_send);
    deadline_init(&s->late, env->loop, on_late);
    deadline_init(&s->retry, env->loop, on_retry);
    return s;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_store(const struct config *a, const struct config *b)
{
    const struct config_store *x = &a->budget_store, *y = &b->budget_store;
    return same_text(x->text, y->text) && same_text(x->user, y->user) &&
           same_text(x->password, y->password) &&
           same_text(a->budget_store_ca_file, b->budget_store_ca_file);
}

void budget_store_configure(struct budget_store *s, struct config *c, struct tls_context *tls)
{
    struct config *old = s->config;
    struct tls_context *old_tls = s->tls;
    bool is_same = old && same_store(old, c);
    s->tls = tls ? tls_context_ref(tls) : NULL;
    if (!is_same) {
        drop(s);
        deadline_stop(&s->retry);
        s->why[0] = '\0';
        s->backoff_ms = 0;
    }
    s->config = config_ref(c);
    config_unref(old);
    if (old_tls)
        tls_context_unref(old_tls);
    if (!is_same && c->budget_store.text) {
        if (s->state != STORE_STARTING)
            enter(s, STORE_STARTING);
        dial(s);
    } else if (c->budget_store.text == NULL && s->state != STORE_OFF) {
        enter(s, STORE_OFF);
    }
    watch(s);
}

void budget_store_free(struct budget_store *s)
{
    MAGIC_CHECK(s, MAGIC);
    CHECK(s->members.count == 0);
    drop(s);
    deadline_stop(&s->late);
    deadline_stop(&s->retry);
    text_free(&s->out);
    config_unref(s->config);
    if (s->tls)
        tls_context_unref(s->tls);
    s->magic = 0;
    free(s);
}
