/* A line on its way:
 *
 *   write_line()     `fresh`: with the other lines of this turn of the loop; of more than one, if there
 *                    are other orders and the loop has something else to do
 *   submit()         given to the writer, behind `kept`
 *   on_outcome()     written: what waits for it is told
 *                    not written: a begin is dropped, and its order refused or sent without;
 *                    a start or an end is `kept`, and goes first when the next line does, or after
 *                    RETRY_MS
 *   on_stuck()       nothing has come back for ORDER_PATIENCE_MS: the answers of orders wait no
 *                    longer, and orders that need not have a line do not either
 *
 * An entry's begin and end are never under way at the same time: an order that ends while its begin
 * is with the thread has its end written after that. */
#include "proxy/order_journal.h"

#include <stdio.h>

#include "base/log.h"
#include "base/spares.h"
#include "base/state.h"
#include "proxy/order_health.h"
#include "proxy/order_mark.h"
#include "proxy/order_wait.h"
#include "proxy/order_writer.h"

#define MAGIC 0x6f6a6f75
#define ENTRY_MAGIC 0x6f656e74
#define RETRY_MS 1000
#define OBJECT "order journal"

/* OVER: nothing more will be written of it. */
#define ORDER_ENTRY_STATES(S)                                                                      \
    S(ORDER_ENTRY_NEW, "new", TO(ORDER_ENTRY_BEGINNING) | TO(ORDER_ENTRY_OVER))                    \
    S(ORDER_ENTRY_BEGINNING, "beginning",                                                          \
      TO(ORDER_ENTRY_NEW) | TO(ORDER_ENTRY_BEGUN) | TO(ORDER_ENTRY_OVER))                          \
    S(ORDER_ENTRY_BEGUN, "begun", TO(ORDER_ENTRY_ENDING))                                          \
    S(ORDER_ENTRY_ENDING, "ending", TO(ORDER_ENTRY_OVER))                                          \
    S(ORDER_ENTRY_OVER, "over", 0)
STATE_TYPE(order_entry, ORDER_ENTRY_STATES)

struct order_journal {
    unsigned magic;
    struct loop *loop;
    char *path;
    char life[REQUEST_LIFE_SIZE];
    bool syncs;
    struct order_file *file; /* where further lines go; the writer's */
    struct order_writer *writer;
    struct order_clock clock;
    struct list fresh;   /* lines of this turn */
    struct list kept;    /* lines that could not be written, and must be */
    struct list waiting; /* entries, of which a line is waited for */
    struct task submit;
    struct deadline stuck, retry;
    uint64_t progress_ms; /* when a line last came back, or was given to an idle thread */
    bool given_up;        /* another daemon may have its path */
    struct link leaving;  /* no order begins in it any more */
    struct list entries;
    struct task free_later;
    struct order_health health;
    order_journal_listener *listener; /* NULL: none */
    void *listener_context;
};

struct order_entry {
    unsigned magic;
    enum order_entry_state state;
    unsigned holds;
    struct order_journal *journal;
    struct link link;
    struct order_writing writing; /* its begin, until its end is */
    struct request_id id;
    struct order_wait wait; /* while one of its lines is waited for */
    bool has_end;           /* it ended while its begin was being written: */
    struct order_end end;
};

static struct spares spares, lines;

static struct order_journal *self(void *owner)
{
    struct order_journal *j = owner;
    MAGIC_CHECK(j, MAGIC);
    return j;
}

static struct order_entry *entry_of(struct order_writing *w)
{
    struct order_entry *e = container_of(w, struct order_entry, writing);
    MAGIC_CHECK(e, ENTRY_MAGIC);
    return e;
}

static void enter(struct order_entry *e, enum order_entry_state to)
{
    STATE_ENTER_FOR(order_entry, &e->state, to, OBJECT, 0, &e->id);
}

/* --------------------------------------------------------------------------- their holds */

static void check_empty(struct order_journal *j)
{
    if (!j->leaving.on || j->entries.count)
        return;
    if (j->fresh.count + j->kept.count + order_writer_count(j->writer) == 0)
        loop_defer(j->loop, &j->free_later);
}

static void let_go(struct order_entry *e)
{
    struct order_journal *j = e->journal;
    if (--e->holds)
        return;
    CHECK(!order_wait_is_on(&e->wait));
    text_end(&e->writing.line, &lines);
    list_remove(&e->link);
    e->magic = 0;
    spares_give(&spares, e);
    check_empty(j);
}

/* -------------------------------------------------------------------------------- lines */

/* To wake the thread costs more than the rest of a line: other orders may soon have one, too. */
static void write_line(struct order_journal *j, struct order_writing *w)
{
    list_push_back(&j->fresh, &w->link);
    (j->entries.count > 1 ? loop_defer_to_idle : loop_defer)(j->loop, &j->submit);
}

static const char *time_text(struct order_journal *j)
{
    struct timespec now = loop_wall(j->loop);
    return order_clock_text(&j->clock, &now);
}

/* One behind the other: a list is given as a whole. */
static void submit_all(struct order_journal *j)
{
    order_writer_give(j->writer, &j->kept);
    order_writer_give(j->writer, &j->fresh);
}

/* As long as the thread has lines. */
static void watch(struct order_journal *j)
{
    if (order_writer_count(j->writer) && !deadline_is_set(&j->stuck) && !j->health.is_stuck)
        deadline_at(&j->stuck, j->progress_ms + ORDER_PATIENCE_MS);
}

static void submit(struct task *t)
{
    struct order_journal *j = self(container_of(t, struct order_journal, submit));
    deadline_stop(&j->retry);
    if (order_writer_count(j->writer) == 0)
        j->progress_ms = loop_now(j->loop);
    submit_all(j);
    watch(j);
}

static void on_retry(struct deadline *d)
{
    struct order_journal *j = self(container_of(d, struct order_journal, retry));
    loop_defer(j->loop, &j->submit);
}

/* The answers go out, and orders without a line if they may. */
static void tell_stuck(struct order_journal *j, struct order_entry *e)
{
    if (e->wait.on_ended) {
        order_wait_ended(&e->wait);
    } else if (!j->health.required) {
        order_health_missed(&j->health);
        order_wait_begun(&e->wait, NULL);
    } else {
        list_remove(&e->wait.link);
        list_push_back(&j->waiting, &e->wait.link);
    }
}

/* A loop that was late itself sees its deadlines before what the thread has finished by then. */
static void on_stuck(struct deadline *d)
{
    struct order_journal *j = self(container_of(d, struct order_journal, stuck));
    struct list due;
    struct link *k;
    order_writer_look(j->writer);
    if (order_writer_count(j->writer) == 0)
        return;
    if (loop_now(j->loop) < j->progress_ms + ORDER_PATIENCE_MS) {
        deadline_at(d, j->progress_ms + ORDER_PATIENCE_MS);
        return;
    }
    order_health_stuck(&j->health, ORDER_PATIENCE_MS, loop_wall_s(j->loop));
    list_init(&due);
    list_append(&due, &j->waiting);
    while ((k = list_first(&due)))
        tell_stuck(j, container_of(k, struct order_entry, wait.link));
}

/* ------------------------------------------------------------------------- their outcome */

static void on_end_done(struct order_writing *);

static void write_end(struct order_entry *e)
{
    struct order_journal *j = e->journal;
    enter(e, ORDER_ENTRY_ENDING);
    text_clear(&e->writing.line);
    e->writing.syncs = false;
    e->writing.done = on_end_done;
    e->holds++;
    order_line_end(&e->writing.line, time_text(j), &e->end);
    write_line(j, &e->writing);
}

static void begin_failed(struct order_entry *e)
{
    struct order_health *h = &e->journal->health;
    struct verdict why = order_health_verdict(h);
    if (e->wait.on_begun && h->required)
        order_health_refused(h);
    else if (e->wait.on_begun)
        order_health_missed(h);
    order_wait_begun(&e->wait, h->required ? &why : NULL);
}

/* What may be in the file needs an end, so that the order is not taken for one that left. */
static void on_begin_done(struct order_writing *w)
{
    struct order_entry *e = entry_of(w);
    bool is_there = w->outcome != ORDER_UNWRITTEN;
    enter(e, is_there ? ORDER_ENTRY_BEGUN : ORDER_ENTRY_OVER);
    if (is_there && e->has_end)
        write_end(e);
    else if (e->has_end)
        order_wait_ended(&e->wait);
    if (w->outcome == ORDER_WRITTEN)
        order_wait_begun(&e->wait, NULL);
    else
        begin_failed(e);
    let_go(e);
}

/* The answer does not wait for a disk that has no room. */
static void on_end_done(struct order_writing *w)
{
    struct order_entry *e = entry_of(w);
    if (w->outcome != ORDER_WRITTEN) {
        list_push_back(&e->journal->kept, &w->link);
        order_wait_ended(&e->wait);
        return;
    }
    enter(e, ORDER_ENTRY_OVER);
    order_wait_ended(&e->wait);
    let_go(e);
}

static void on_mark_done(struct order_writing *w)
{
    struct order_mark *m = order_mark_of(w);
    struct order_journal *j = self(m->owner);
    if (w->outcome == ORDER_WRITTEN)
        order_mark_free(m);
    else
        list_push_back(&j->kept, &w->link);
}

static void on_outcome(void *owner, struct order_writing *w)
{
    struct order_journal *j = self(owner);
    j->progress_ms = loop_now(j->loop);
    if (w->outcome == ORDER_WRITTEN && !w->switch_to)
        order_health_written(&j->health);
    else if (w->outcome != ORDER_WRITTEN)
        order_health_failed(&j->health, w->error, loop_wall_s(j->loop));
    w->done(w);
    if (j->kept.count && !deadline_is_set(&j->retry))
        deadline_in(&j->retry, RETRY_MS);
    watch(j); /* it may have been stuck until now */
    check_empty(j);
}

static void on_other(void *owner, const struct order_other *o)
{
    struct order_journal *j = self(owner);
    if (j->listener)
        j->listener(j->listener_context, o);
}

/* ------------------------------------------------------------------------------ an order */

struct order_entry *order_journal_enter(struct order_journal *j, const struct request_id *id)
{
    MAGIC_CHECK(j, MAGIC);
    struct order_entry *e = SPARES_NEW(&spares, struct order_entry);
    MAGIC_INIT(e, ENTRY_MAGIC);
    e->journal = j;
    e->id = *id;
    e->holds = 2;
    list_push_back(&j->entries, &e->link);
    return e;
}

bool order_entry_begin(struct order_entry *e, const struct order_begin *b, order_begun *on_begun,
                       void *owner)
{
    struct order_journal *j = e->journal;
    MAGIC_CHECK(e, ENTRY_MAGIC);
    CHECK(e->state != ORDER_ENTRY_BEGINNING);
    if (e->state != ORDER_ENTRY_NEW)
        return true;
    if (j->health.is_stuck && !j->health.required) {
        order_health_missed(&j->health);
        enter(e, ORDER_ENTRY_OVER);
        return true;
    }
    enter(e, ORDER_ENTRY_BEGINNING);
    e->writing.syncs = j->syncs;
    e->writing.done = on_begin_done;
    e->holds++;
    text_begin(&e->writing.line, &lines);
    order_line_begin(&e->writing.line, time_text(j), b);
    write_line(j, &e->writing);
    order_wait_begin(&e->wait, &j->waiting, on_begun, NULL, owner);
    return false;
}

bool order_entry_is_noted(const struct order_entry *e)
{
    return e->state != ORDER_ENTRY_NEW;
}

bool order_entry_may_stop(const struct order_entry *e)
{
    return e->state == ORDER_ENTRY_NEW || (e->state == ORDER_ENTRY_BEGINNING && e->wait.on_begun);
}

/* A line that no thread has yet is not written at all. */
static bool take_back(struct order_entry *e)
{
    struct order_journal *j = e->journal;
    if (e->writing.is_given)
        return order_writer_take_back(j->writer, &e->writing);
    list_remove(&e->writing.link); /* of `fresh`, as its begin is waited for */
    return true;
}

void order_entry_forget(struct order_entry *e)
{
    MAGIC_CHECK(e, ENTRY_MAGIC);
    if (e->wait.on_begun == NULL)
        return;
    order_wait_stop(&e->wait);
    if (!take_back(e))
        return;
    enter(e, ORDER_ENTRY_OVER);
    let_go(e);
}

void order_entry_end(struct order_entry *e, const struct record *r)
{
    if (e == NULL)
        return;
    MAGIC_CHECK(e, ENTRY_MAGIC);
    CHECK(!e->has_end);
    e->end = order_end_of(r, &e->id);
    e->has_end = true;
    if (e->state == ORDER_ENTRY_NEW)
        enter(e, ORDER_ENTRY_OVER);
    else if (e->state == ORDER_ENTRY_BEGUN)
        write_end(e);
    let_go(e);
}

bool order_entry_await(struct order_entry *e, order_ended *on_ended, void *owner)
{
    struct order_journal *j = e->journal;
    MAGIC_CHECK(e, ENTRY_MAGIC);
    CHECK(e->has_end);
    bool is_kept = !e->writing.is_given && e->writing.link.on == &j->kept;
    if (e->state == ORDER_ENTRY_OVER || j->health.is_stuck || is_kept)
        return true;
    order_wait_begin(&e->wait, &j->waiting, NULL, on_ended, owner);
    return false;
}

void order_entry_release(struct order_entry *e)
{
    MAGIC_CHECK(e, ENTRY_MAGIC);
    if (e->wait.on_ended)
        order_wait_stop(&e->wait);
    let_go(e);
}

/* ------------------------------------------------------------------------------ its life */

/* A start, or with `switch_to` what begins another file. */
static void write_mark(struct order_journal *j, struct order_file *switch_to)
{
    struct order_mark *m = order_mark_new(on_mark_done, j, switch_to);
    if (switch_to == NULL)
        order_line_start(&m->writing.line, time_text(j), j->life);
    write_line(j, &m->writing);
}

static void destroy(struct order_journal *j)
{
    task_forget(&j->submit);
    task_forget(&j->free_later);
    deadline_stop(&j->stuck);
    deadline_stop(&j->retry);
    CHECK(j->entries.count == 0 && j->fresh.count == 0 && j->kept.count == 0);
    free(j->path);
    j->magic = 0;
    free(j);
}

static void free_now(struct task *t)
{
    struct order_journal *j = self(container_of(t, struct order_journal, free_later));
    list_remove(&j->leaving);
    order_writer_free(j->writer);
    destroy(j);
}

struct order_journal *order_journal_new(struct loop *loop, const char *path, const char *life,
                                        struct order_journal_rules rules, char *error, size_t size)
{
    static const struct order_writer_events events = {on_outcome, on_other};
    struct order_file *file = order_file_open(path, life, error, size);
    if (file == NULL)
        return NULL;
    struct order_journal *j = NEW(struct order_journal);
    MAGIC_INIT(j, MAGIC);
    j->loop = loop;
    j->path = must_strdup(path);
    snprintf(j->life, sizeof j->life, "%s", life);
    j->file = file;
    j->health.path = j->path;
    list_init(&j->entries);
    list_init(&j->fresh);
    list_init(&j->kept);
    list_init(&j->waiting);
    task_init(&j->submit, submit);
    task_init(&j->free_later, free_now);
    deadline_init(&j->stuck, loop, on_stuck);
    deadline_init(&j->retry, loop, on_retry);
    j->writer = order_writer_new(loop, file, &events, j);
    order_journal_configure(j, rules);
    write_mark(j, NULL);
    return j;
}

void order_journal_configure(struct order_journal *j, struct order_journal_rules rules)
{
    MAGIC_CHECK(j, MAGIC);
    j->health.required = rules.required;
    j->syncs = rules.sync;
    order_writer_allow(j->writer, rules.nowait);
}

void order_journal_listen(struct order_journal *j, order_journal_listener *listener, void *context)
{
    MAGIC_CHECK(j, MAGIC);
    j->listener = listener;
    j->listener_context = context;
}

const char *order_journal_path(const struct order_journal *j)
{
    return j->path;
}

void order_journal_reopen(struct order_journal *j)
{
    char error[200];
    MAGIC_CHECK(j, MAGIC);
    if (order_file_is_at(j->file, j->path))
        return;
    struct order_file *file = order_file_open(j->path, j->life, error, sizeof error);
    if (file == NULL) {
        LOG(ERROR, OBJECT, "cannot reopen %s: %s; the old file stays", j->path, error);
        return;
    }
    if (j->given_up)
        order_file_give_up(file);
    write_mark(j, file);
    j->file = file;
    write_mark(j, NULL);
}

void order_journal_give_up(struct order_journal *j)
{
    MAGIC_CHECK(j, MAGIC);
    j->given_up = true;
    order_file_give_up(j->file);
}

void order_journal_leave(struct order_journal *j, struct list *leaving)
{
    MAGIC_CHECK(j, MAGIC);
    order_journal_give_up(j);
    list_push_back(leaving, &j->leaving);
    check_empty(j);
}

bool order_journal_is_at_path(const struct order_journal *j)
{
    return order_file_is_at(j->file, j->path);
}

bool order_journal_take_back(struct order_journal *j, char *error, size_t size)
{
    MAGIC_CHECK(j, MAGIC);
    if (!order_file_take_back(j->file, error, size))
        return false;
    j->given_up = false;
    return true;
}

void order_journal_stay(struct order_journal *j)
{
    MAGIC_CHECK(j, MAGIC);
    task_forget(&j->free_later);
    list_remove(&j->leaving);
}

struct order_journal *order_journal_of(struct link *leaving)
{
    return self(container_of(leaving, struct order_journal, leaving));
}

/* Of a mark or an entry that cannot be written any more. */
static void drop(struct order_writing *w)
{
    if (w->done == on_mark_done) {
        order_mark_free(order_mark_of(w));
        return;
    }
    struct order_entry *e = entry_of(w);
    enter(e, ORDER_ENTRY_OVER);
    let_go(e);
}

/* What the thread may still write is not freed. */
static void abandon(struct order_journal *j)
{
    LOG(ERROR, OBJECT, "%s: the disk has not answered for %d ms; may not be written: lines: %zu",
        j->path, ORDER_END_PATIENCE_MS, order_writer_count(j->writer) + j->kept.count);
    order_writer_abandon(j->writer);
    task_forget(&j->submit);
    task_forget(&j->free_later);
    deadline_stop(&j->stuck);
    deadline_stop(&j->retry);
}

void order_journal_end(struct order_journal *j)
{
    struct link *k;
    MAGIC_CHECK(j, MAGIC);
    j->listener = NULL;
    list_remove(&j->leaving);
    do { /* a begin that is written may have its end behind it */
        submit_all(j);
        if (!order_writer_wait(j->writer, ORDER_END_PATIENCE_MS)) {
            abandon(j);
            return;
        }
    } while (j->fresh.count);
    order_writer_free(j->writer);
    if (j->kept.count)
        LOG(ERROR, OBJECT, "not written to %s, and lost: lines: %zu (%s)", j->path, j->kept.count,
            order_health_words(&j->health));
    while ((k = list_first(&j->kept))) {
        list_remove(k);
        drop(container_of(k, struct order_writing, link));
    }
    destroy(j);
}

void order_journal_describe(const struct order_journal *j, struct order_journal_view *v)
{
    const struct order_health *h = &j->health;
    MAGIC_CHECK(j, MAGIC);
    *v = (struct order_journal_view){
        .path = j->path,
        .error = order_health_words(h),
        .since_s = h->since_s,
        .waiting = j->fresh.count + j->kept.count + order_writer_count(j->writer),
        .lines = h->lines,
        .errors = h->errors,
        .refused = h->refused,
        .missed = h->missed,
    };
}
