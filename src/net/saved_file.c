#include "net/saved_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/log.h"

#define MAGIC 0x73617665
#define APART_MS 100   /* from the end of one write to the beginning of the next */
#define AGAIN_MS 1000  /* likewise, after a failure */
#define LAST_TRIES 100 /* at the end, while another process replaces the file */
#define LAST_PAUSE_MS 10

struct saved_file {
    unsigned magic;
    struct loop *loop;
    struct worker *worker; /* NULL: finished */
    char *path;
    const struct saved_file_events *events;
    void *owner;
    uint64_t changes, composed, saved; /* numbers of changes */
    uint64_t wanted_ms;                /* when the next write is to begin; UINT64_MAX: none is */
    uint64_t not_before_ms;
    struct deadline write;
    struct list waiters;
    bool closing;
    struct task end;

    /* While the job is under way these belong to it. */
    struct job job;
    struct text content; /* what it writes, or what it found */
    struct file_mark mark;
    bool put_aside; /* the file that is there is damaged: rename it first */
    time_t now;
    char aside[PATH_MAX]; /* where the last one went */
    int aside_error, error;

    char *kept_as;  /* where a damaged file was moved last; NULL: there was none */
    int told_error; /* the last write's; 0: it went well */
    uint64_t failures;
    int64_t written_s;
};

/* --------------------------------------------------------------- a write, by its thread */

/* If it cannot be renamed, it is replaced. */
static void rename_damaged(struct saved_file *f)
{
    f->aside_error = whole_file_put_aside(f->path, f->now, f->aside, sizeof f->aside);
    if (f->aside_error == 0)
        f->mark = (struct file_mark){0};
}

static void write_now(struct saved_file *f)
{
    if (f->put_aside)
        rename_damaged(f);
    f->error = whole_file_replace(f->path, text_span(&f->content), &f->mark);
    if (f->error != ESTALE)
        return;
    text_clear(&f->content);
    int error = whole_file_read(f->path, &f->content, &f->mark);
    if (error && error != ENOENT)
        f->error = error; /* it is replaced next time, since the mark is that file's */
}

static void job_work(struct job *j)
{
    write_now(container_of(j, struct saved_file, job));
}

/* ------------------------------------------------------------------- what came of it */

/* Those that wait for this change or one before it, which are the first of the list. */
static void tell(struct saved_file *f, uint64_t change, bool saved)
{
    struct save_waiter *w;
    while ((w = LIST_ENTRY(list_first(&f->waiters), struct save_waiter, link)) &&
           w->change <= change) {
        save_waiter_forget(w);
        w->done(w, saved);
    }
}

static void log_aside(struct saved_file *f)
{
    if (f->aside_error)
        LOG(ERROR, "state", "%s: cannot be renamed: %s", f->path, strerror(f->aside_error));
    else
        LOG(ERROR, "state", "%s: damaged, and kept as %s", f->path, f->aside);
    if (f->aside_error == 0) {
        free(f->kept_as);
        f->kept_as = must_strdup(f->aside);
    }
    f->put_aside = false;
}

/* A file that another process wrote meanwhile is no failure: it is merged, and written again. */
static void conclude(struct saved_file *f)
{
    if (f->put_aside)
        log_aside(f);
    if (f->error == ESTALE) {
        f->put_aside = f->content.len && !f->events->merge(f->owner, text_span(&f->content));
        return;
    }
    if (f->error) {
        f->failures++;
        if (f->told_error == 0)
            LOG(ERROR, "state", "%s: cannot be written: %s; a restart would lose what changed",
                f->path, strerror(f->error));
    } else {
        if (f->told_error)
            LOG(WARN, "state", "%s: written again", f->path);
        f->written_s = loop_wall_s(f->loop);
        f->saved = f->composed;
    }
    f->told_error = f->error;
}

static void compose(struct saved_file *f)
{
    text_clear(&f->content);
    f->events->compose(f->owner, &f->content);
    f->composed = f->changes;
    f->now = (time_t)loop_wall_s(f->loop);
}

static void begin(struct saved_file *f)
{
    deadline_stop(&f->write);
    f->wanted_ms = UINT64_MAX;
    compose(f);
    worker_submit(f->worker, &f->job);
}

static bool is_writing(const struct saved_file *f)
{
    return f->job.running || f->job.link.on;
}

static void schedule(struct saved_file *f)
{
    uint64_t at = f->wanted_ms > f->not_before_ms ? f->wanted_ms : f->not_before_ms;
    if (f->wanted_ms != UINT64_MAX && !is_writing(f))
        deadline_at(&f->write, at);
}

static void want(struct saved_file *f, uint64_t ms)
{
    uint64_t at = loop_now(f->loop) + ms;
    if (at >= f->wanted_ms)
        return;
    f->wanted_ms = at;
    schedule(f);
}

static void job_done(struct job *j)
{
    struct saved_file *f = container_of(j, struct saved_file, job);
    MAGIC_CHECK(f, MAGIC);
    if (f->closing) {
        loop_defer(f->loop, &f->end); /* not from inside the worker that is freed */
        return;
    }
    conclude(f);
    if (f->worker == NULL)
        return; /* saved_file_finish() goes on */
    bool failed = f->error && f->error != ESTALE;
    f->not_before_ms = loop_now(f->loop) + (failed ? AGAIN_MS : APART_MS);
    if (f->error == ESTALE)
        begin(f);
    else if (failed)
        want(f, 0);
    tell(f, failed ? f->composed : f->saved, !failed);
    schedule(f);
}

static void on_due(struct deadline *d)
{
    struct saved_file *f = container_of(d, struct saved_file, write);
    MAGIC_CHECK(f, MAGIC);
    begin(f);
}

/* ------------------------------------------------------------------------- its owner */

static void destroy(struct saved_file *f)
{
    if (f->worker)
        worker_free(f->worker);
    text_free(&f->content);
    free(f->path);
    free(f->kept_as);
    f->magic = 0;
    free(f);
}

static void on_end(struct task *t)
{
    destroy(container_of(t, struct saved_file, end));
}

struct saved_file *saved_file_new(struct loop *loop, const char *path,
                                  const struct saved_file_events *events, void *owner)
{
    struct saved_file *f = NEW(struct saved_file);
    f->magic = MAGIC;
    f->loop = loop;
    f->worker = worker_new(loop);
    f->path = must_strdup(path);
    f->events = events;
    f->owner = owner;
    f->wanted_ms = UINT64_MAX;
    f->job = (struct job){.work = job_work, .done = job_done};
    deadline_init(&f->write, loop, on_due);
    task_init(&f->end, on_end);
    list_init(&f->waiters);
    return f;
}

int saved_file_read(struct saved_file *f, struct text *to)
{
    return whole_file_read(f->path, to, &f->mark);
}

void saved_file_put_aside(struct saved_file *f)
{
    f->now = (time_t)loop_wall_s(f->loop);
    rename_damaged(f);
    log_aside(f);
}

void saved_file_change(struct saved_file *f, uint64_t ms)
{
    MAGIC_CHECK(f, MAGIC);
    f->changes++;
    want(f, ms);
}

static void on_late(struct deadline *d)
{
    struct save_waiter *w = container_of(d, struct save_waiter, late);
    list_remove(&w->link);
    w->done(w, false);
}

bool saved_file_wait(struct saved_file *f, struct save_waiter *w)
{
    MAGIC_CHECK(f, MAGIC);
    if (f->saved == f->changes)
        return false;
    want(f, 0);
    w->change = f->changes;
    deadline_init(&w->late, f->loop, on_late);
    deadline_in(&w->late, SAVE_WAIT_MS);
    list_push_back(&f->waiters, &w->link);
    return true;
}

struct saved_file_view saved_file_view(const struct saved_file *f)
{
    return (struct saved_file_view){.path = f->path,
                                    .written_s = f->written_s,
                                    .failures = f->failures,
                                    .error = f->told_error ? strerror(f->told_error) : NULL,
                                    .aside = f->kept_as};
}

void saved_file_finish(struct saved_file *f)
{
    MAGIC_CHECK(f, MAGIC);
    struct worker *worker = f->worker;
    deadline_stop(&f->write);
    f->worker = NULL;
    worker_free(worker); /* it waits for a write that is under way */
    for (int i = 0; f->saved < f->changes && i < LAST_TRIES; i++) {
        compose(f);
        write_now(f);
        conclude(f);
        if (f->error && f->error != ESTALE && f->error != EBUSY)
            break;
        if (f->error == EBUSY)
            uv_sleep(LAST_PAUSE_MS);
    }
}

void saved_file_free(struct saved_file *f)
{
    MAGIC_CHECK(f, MAGIC);
    deadline_stop(&f->write);
    tell(f, UINT64_MAX, false);
    f->closing = true;
    if (!is_writing(f) || worker_forget(f->worker, &f->job))
        destroy(f);
}
