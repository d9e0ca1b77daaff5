/* An order's record, by what becomes of it:
 *
 *   dedupe_enter()      it is new: the request is its first            under way
 *                       it is here: the request is a copy, and waits
 *   dedupe_answered()   the copies get the answer, or hear the status  answered
 *   dedupe_lost()       something of it was sent: they hear that       unknown
 *                       nothing was, and a copy waits: it goes next    vacant → under way
 *                       nothing was, and none waits: forgotten
 *   on_expired()        its time is over: forgotten
 *
 * Copies are told by the record's task, later in the turn, so that nothing happens from within a
 * call of the first's owner or of a copy's. Of the copies the youngest goes: it has waited the
 * least, and its client is the most likely to be still there. */
#include "proxy/dedupe.h"

#include "base/duration.h"
#include "base/rare.h"
#include "base/state.h"

#define BUCKETS 65536 /* a power of two; chains are short at DEDUPE_ORDERS_MAX */

#define DEDUPE_RECORD_STATES(S)                                                                    \
    S(RECORD_UNDER_WAY, "under way",                                                               \
      TO(RECORD_VACANT) | TO(RECORD_ANSWERED) | TO(RECORD_UNKNOWN) | TO(RECORD_FORGOTTEN))         \
    S(RECORD_VACANT, "vacant",                                                                     \
      TO(RECORD_UNDER_WAY) | TO(RECORD_ANSWERED) | TO(RECORD_UNKNOWN) | TO(RECORD_FORGOTTEN))      \
    S(RECORD_ANSWERED, "answered", TO(RECORD_FORGOTTEN))                                           \
    S(RECORD_UNKNOWN, "unknown", TO(RECORD_UNKNOWN) | TO(RECORD_ANSWERED) | TO(RECORD_FORGOTTEN))  \
    S(RECORD_FORGOTTEN, "forgotten", 0)
STATE_TYPE(dedupe_record, DEDUPE_RECORD_STATES)

struct dedupe_record {
    struct dedupe *dedupe;
    struct dedupe_record *next; /* in its bucket */
    enum dedupe_record_state state;
    struct order_digest digest;
    struct request_id id;       /* of the request that was sent */
    struct dedupe_claim *first; /* while it is under way */
    struct list copies;         /* that wait */
    struct kept_answer *answer; /* a reference; NULL: none, or not kept */
    struct link kept;           /* on the list of those with an answer */
    struct link open;           /* on that of those that another life has not ended yet */
    bool is_repeated;           /* there it was begun anew before that: no end says all */
    unsigned status;
    enum failure error;
    enum sent sent;
    uint64_t within_ms; /* it is remembered for so long after `since` */
    int64_t since;      /* loop time, ms: from when on its time counts, once known */
    int64_t sent_at;    /* loop time, ms: for its age, once known */
    struct deadline expires;
    struct task tell;
    bool is_telling; /* its copies; if it is forgotten meanwhile, tell() frees it */
    char upstream[];
};

struct dedupe {
    struct loop *loop;
    size_t count;
    struct list kept; /* records with an answer, the oldest first */
    size_t bytes;     /* of these answers */
    struct list open; /* records of orders of other lives, which may end there */
    struct dedupe_record **buckets;
};

static void enter(struct dedupe_record *r, enum dedupe_record_state to)
{
    STATE_ENTER_FOR(dedupe_record, &r->state, to, r->upstream, 0, &r->id);
}

static int64_t now(const struct dedupe *d)
{
    return (int64_t)loop_now(d->loop);
}

/* -------------------------------------------------------------------------- the table */

/* A digest is as good as random, so any part of it will do. */
static struct dedupe_record **bucket(struct dedupe *d, const struct order_digest *digest)
{
    size_t n;
    memcpy(&n, digest->bytes, sizeof n);
    return &d->buckets[n % BUCKETS];
}

static struct dedupe_record *find(struct dedupe *d, const char *upstream,
                                  const struct order_digest *digest)
{
    struct dedupe_record *r = *bucket(d, digest);
    while (r && (!order_digest_equal(&r->digest, digest) || strcmp(r->upstream, upstream) != 0))
        r = r->next;
    return r;
}

static void drop_answer(struct dedupe_record *r)
{
    if (r->answer == NULL)
        return;
    list_remove(&r->kept);
    r->dedupe->bytes -= kept_answer_size(r->answer);
    kept_answer_unref(r->answer);
    r->answer = NULL;
}

static void forget(struct dedupe_record *r)
{
    struct dedupe_record **at = bucket(r->dedupe, &r->digest);
    CHECK(r->copies.count == 0);
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    r->dedupe->count--;
    enter(r, RECORD_FORGOTTEN);
    drop_answer(r);
    list_remove(&r->open);
    deadline_stop(&r->expires);
    task_forget(&r->tell);
    if (!r->is_telling)
        free(r);
}

/* Copies that are about to be told are waited for. */
static void on_expired(struct deadline *d)
{
    struct dedupe_record *r = container_of(d, struct dedupe_record, expires);
    if (r->copies.count)
        deadline_in(d, 1);
    else
        forget(r);
}

static void tell(struct task *);

static struct dedupe_record *add(struct dedupe *d, const char *upstream,
                                 const struct order_digest *digest)
{
    struct dedupe_record *r = must_calloc(1, sizeof *r + strlen(upstream) + 1);
    struct dedupe_record **at = bucket(d, digest);
    r->dedupe = d;
    r->digest = *digest;
    strcpy(r->upstream, upstream);
    list_init(&r->copies);
    deadline_init(&r->expires, d->loop, on_expired);
    task_init(&r->tell, tell);
    r->next = *at;
    *at = r;
    d->count++;
    return r;
}

/* --------------------------------------------------------------------- telling copies */

/* The oldest copy, released; NULL: there is none. */
static struct dedupe_claim *take_copy(struct dedupe_record *r)
{
    struct dedupe_claim *c = LIST_ENTRY(list_first(&r->copies), struct dedupe_claim, link);
    if (c == NULL)
        return NULL;
    list_remove(&c->link);
    c->record = NULL;
    return c;
}

/* Makes this copy the first, if its time to be sent is not over. */
static bool goes(struct dedupe_record *r, struct dedupe_claim *c)
{
    struct request_id id = r->id;
    struct link *older = c->link.prev;
    list_remove(&c->link);
    enter(r, RECORD_UNDER_WAY);
    r->first = c;
    r->id = *c->id;
    if (c->events->on_turn(c->owner))
        return true;
    r->first = NULL;
    r->id = id;
    enter(r, RECORD_VACANT);
    list_insert_(&r->copies, older->next, &c->link);
    return false;
}

/* Either one copy goes, and the others wait for it; or none of them can. */
static void fill(struct dedupe_record *r)
{
    for (struct link *l = list_last(&r->copies), *older; l; l = older) {
        older = l->prev == &r->copies.head ? NULL : l->prev;
        if (goes(r, container_of(l, struct dedupe_claim, link)))
            return;
    }
    for (struct dedupe_claim *c; (c = take_copy(r));)
        c->events->on_late(c->owner, &r->id);
    forget(r);
}

static struct dedupe_fate fate_of(const struct dedupe_record *r)
{
    int64_t age = now(r->dedupe) - r->sent_at;
    return (struct dedupe_fate){.id = &r->id,
                                .age_ms = age > 0 ? (uint64_t)age : 0,
                                .answer = r->answer,
                                .status = r->status,
                                .error = r->error,
                                .sent = r->sent};
}

static void tell(struct task *task)
{
    struct dedupe_record *r = container_of(task, struct dedupe_record, tell);
    if (r->state == RECORD_VACANT) {
        fill(r);
        return;
    }
    const struct dedupe_fate fate = fate_of(r);
    if (fate.answer)
        kept_answer_ref(fate.answer);
    r->is_telling = true;
    for (struct dedupe_claim *c; (c = take_copy(r));)
        c->events->on_fate(c->owner, &fate);
    r->is_telling = false;
    kept_answer_unref(fate.answer);
    if (r->state == RECORD_FORGOTTEN)
        free(r);
}

/* --------------------------------------------------------------------- the fate of one */

/* The oldest answers make room for this one. */
static void keep(struct dedupe_record *r, struct kept_answer *answer)
{
    struct dedupe *d = r->dedupe;
    r->answer = kept_answer_ref(answer);
    list_push_back(&d->kept, &r->kept);
    d->bytes += kept_answer_size(answer);
    while (d->bytes > DEDUPE_ANSWERS_MAX)
        drop_answer(LIST_ENTRY(list_first(&d->kept), struct dedupe_record, kept));
}

/* Its time counts from `since` on; it may be over. */
static void remember(struct dedupe_record *r, enum dedupe_record_state state, int64_t since)
{
    int64_t until = since + (int64_t)r->within_ms;
    enter(r, state);
    r->since = since;
    if (r->copies.count)
        loop_defer(r->dedupe->loop, &r->tell);
    deadline_at(&r->expires, until > 0 ? (uint64_t)until : 0);
}

static struct dedupe_record *release_first(struct dedupe_claim *c)
{
    struct dedupe_record *r = c->record;
    CHECK(r && r->first == c);
    r->first = NULL;
    c->record = NULL;
    return r;
}

void dedupe_answered(struct dedupe_claim *c, uint64_t age_ms, unsigned status,
                     struct kept_answer *answer)
{
    struct dedupe_record *r = release_first(c);
    r->status = status;
    r->sent = SENT_YES;
    r->sent_at = now(r->dedupe) - (int64_t)age_ms;
    if (answer)
        keep(r, answer);
    remember(r, RECORD_ANSWERED, r->sent_at);
}

void dedupe_lost(struct dedupe_claim *c, uint64_t age_ms, unsigned status, enum failure error,
                 enum sent sent)
{
    struct dedupe_record *r = release_first(c);
    if (sent == SENT_NO && r->copies.count) {
        enter(r, RECORD_VACANT);
        loop_defer(r->dedupe->loop, &r->tell);
        return;
    }
    if (sent == SENT_NO) {
        forget(r);
        return;
    }
    r->status = status;
    r->error = error;
    r->sent = sent;
    r->sent_at = now(r->dedupe) - (int64_t)age_ms;
    remember(r, RECORD_UNKNOWN, now(r->dedupe));
}

/* ------------------------------------------------------------------------- taking part */

static bool counts(const struct dedupe_record *r, uint64_t within_ms)
{
    if (r->state == RECORD_UNDER_WAY || r->state == RECORD_VACANT || r->copies.count)
        return true;
    return now(r->dedupe) - r->since < (int64_t)within_ms;
}

static void wait_for(struct dedupe_record *r, struct dedupe_claim *c)
{
    c->record = r;
    list_push_back(&r->copies, &c->link);
    if (r->state != RECORD_UNDER_WAY)
        loop_defer(r->dedupe->loop, &r->tell);
}

enum dedupe_part dedupe_enter(struct dedupe *d, struct dedupe_claim *c, const char *upstream,
                              const struct order_digest *digest, uint64_t within_ms)
{
    struct dedupe_record *r = find(d, upstream, digest);
    if (r && counts(r, within_ms)) {
        wait_for(r, c);
        return DEDUPE_COPY;
    }
    if (r)
        forget(r);
    if (d->count >= DEDUPE_ORDERS_MAX)
        return DEDUPE_FULL;
    r = add(d, upstream, digest);
    r->within_ms = within_ms;
    r->id = *c->id;
    r->first = c;
    c->record = r;
    return DEDUPE_FIRST;
}

/* If it was about to go in the place of the first, the next one is found by the task. */
void dedupe_leave(struct dedupe_claim *c)
{
    list_remove(&c->link);
    c->record = NULL;
}

bool dedupe_is_under_way(const struct dedupe_claim *c)
{
    return c->record->state == RECORD_UNDER_WAY || c->record->state == RECORD_VACANT;
}

enum sent dedupe_sent(const struct dedupe_claim *c)
{
    const struct dedupe_record *r = c->record;
    return r->first ? r->first->events->sent(r->first->owner) : r->sent;
}

const struct request_id *dedupe_id(const struct dedupe_claim *c)
{
    return &c->record->id;
}

static void take_fate(struct dedupe_record *r, const struct dedupe_fate *fate)
{
    r->status = fate->status;
    r->error = fate->error;
    r->sent = fate->sent;
}

static enum dedupe_record_state state_by(const struct dedupe_fate *fate)
{
    return fate->status ? RECORD_ANSWERED : RECORD_UNKNOWN;
}

/* Is it to become the record of another life's order: has its first here not left, or has that life
 * begun it anew, under another id? */
static bool may_become(const struct dedupe_record *r, const struct dedupe_fate *fate)
{
    if (r->open.on)
        return strcmp(r->id.text, fate->id->text) != 0;
    if (r->state != RECORD_UNDER_WAY)
        return r->state == RECORD_VACANT;
    return r->first == NULL ||
           (r->first->events->may_stop && r->first->events->may_stop(r->first->owner));
}

/* The first of it, if there is one, is stopped. */
static void become(struct dedupe_record *r, const struct dedupe_fate *fate, uint64_t since_ms)
{
    struct dedupe *d = r->dedupe;
    struct dedupe_claim *first = r->first;
    if (first)
        (void)release_first(first);
    r->id = *fate->id;
    take_fate(r, fate);
    r->sent_at = now(d) - (int64_t)fate->age_ms;
    r->is_repeated = r->open.on != NULL;
    list_remove(&r->open);
    if (fate->is_open)
        list_push_back(&d->open, &r->open);
    remember(r, state_by(fate), now(d) - (int64_t)since_ms);
    if (first) {
        rare_note(RARE_ORDER_OF_ANOTHER_LIFE);
        first->events->on_fate(first->owner, fate);
    }
}

bool dedupe_recall(struct dedupe *d, const char *upstream, const struct order_digest *digest,
                   const struct dedupe_fate *fate, uint64_t since_ms, uint64_t within_ms)
{
    struct dedupe_record *r = find(d, upstream, digest);
    if (r && !counts(r, within_ms)) {
        forget(r);
        r = NULL;
    }
    if (r && !may_become(r, fate))
        return true;
    if (r == NULL && d->count >= DEDUPE_ORDERS_MAX)
        return false;
    if (r == NULL) {
        r = add(d, upstream, digest);
        r->within_ms = within_ms;
    }
    become(r, fate, since_ms);
    return true;
}

void dedupe_settle(struct dedupe *d, const struct dedupe_fate *fate)
{
    LIST_FOR (&d->open, r, struct dedupe_record, open) {
        if (strcmp(r->id.text, fate->id->text) != 0)
            continue;
        list_remove(&r->open);
        if (fate->sent == SENT_NO && r->copies.count == 0 && !r->is_repeated) {
            forget(r);
        } else if (fate->sent != SENT_NO) {
            take_fate(r, fate);
            remember(r, state_by(fate), fate->status ? r->sent_at : now(d));
        }
        return;
    }
}

/* ------------------------------------------------------------------------------ others */

size_t dedupe_count(const struct dedupe *d)
{
    return d->count;
}

size_t dedupe_bytes(const struct dedupe *d)
{
    return d->bytes;
}

struct verdict dedupe_verdict(const struct dedupe_fate *f)
{
    char age[DURATION_TEXT_SIZE], fate[60] = "its outcome is unknown";
    if (f->status)
        snprintf(fate, sizeof fate, "answered %u%s", f->status,
                 f->error == FAILURE_NONE ? "" : ", but the answer was cut off");
    struct verdict v =
        verdict_make(f->error == FAILURE_NONE ? FAILURE_HTTP_REQUEST_DENIED : f->error, f->sent,
                     "copy of order %s, sent %s ago: %s", request_id_text(f->id),
                     duration_text(age, f->age_ms), fate);
    v.status = 409;
    return v;
}

struct dedupe *dedupe_new(struct loop *loop)
{
    struct dedupe *d = NEW(struct dedupe);
    d->loop = loop;
    list_init(&d->kept);
    list_init(&d->open);
    d->buckets = must_calloc(BUCKETS, sizeof(struct dedupe_record *));
    return d;
}

void dedupe_free(struct dedupe *d)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (d->buckets[i]) {
            CHECK(d->buckets[i]->first == NULL);
            forget(d->buckets[i]);
        }
    free(d->buckets);
    free(d);
}
