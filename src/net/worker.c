#include "net/worker.h"

/* How many jobs the thread has at a time: one that is running and one that is ready, so that the
 * thread never idles, while all other jobs can still be taken back. */
#define HANDED_OVER_MAX 2

struct worker {
    uv_async_t async;
    uv_thread_t thread;
    struct list waiting, yielding; /* the loop's own */
    size_t handed_over;            /* the loop's own: given to the thread, done() not called */

    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t wake;
    struct list todo, finished;
    bool ending;
};

static struct job *take_next(struct worker *w)
{
    uv_mutex_lock(&w->mutex);
    while (w->todo.count == 0 && !w->ending)
        uv_cond_wait(&w->wake, &w->mutex);
    struct job *job = LIST_ENTRY(list_first(&w->todo), struct job, link);
    if (job)
        list_remove(&job->link);
    uv_mutex_unlock(&w->mutex);
    return job;
}

static void run_thread(void *arg)
{
    struct worker *w = arg;
    struct job *job;
    while ((job = take_next(w)) != NULL) {
        job->work(job);
        uv_mutex_lock(&w->mutex);
        list_push_back(&w->finished, &job->link);
        uv_mutex_unlock(&w->mutex);
        CHECK(uv_async_send(&w->async) == 0);
    }
}

static struct job *next_waiting(struct worker *w)
{
    if (w->handed_over < HANDED_OVER_MAX && w->waiting.count)
        return container_of(list_first(&w->waiting), struct job, link);
    return w->handed_over ? NULL : LIST_ENTRY(list_first(&w->yielding), struct job, link);
}

/* The handle keeps the loop running only while there is work. */
static void hand_over(struct worker *w)
{
    uv_mutex_lock(&w->mutex);
    struct job *job;
    while ((job = next_waiting(w)) != NULL) {
        list_remove(&job->link);
        job->running = true;
        w->handed_over++;
        list_push_back(&w->todo, &job->link);
    }
    uv_cond_signal(&w->wake);
    uv_mutex_unlock(&w->mutex);
    if (w->handed_over)
        uv_ref((uv_handle_t *)&w->async);
    else
        uv_unref((uv_handle_t *)&w->async);
}

static struct job *take_finished(struct worker *w)
{
    uv_mutex_lock(&w->mutex);
    struct job *job = LIST_ENTRY(list_first(&w->finished), struct job, link);
    if (job)
        list_remove(&job->link);
    uv_mutex_unlock(&w->mutex);
    return job;
}

static void collect(struct worker *w)
{
    struct job *job;
    while ((job = take_finished(w)) != NULL) {
        job->running = false;
        w->handed_over--;
        hand_over(w); /* let the thread continue while done() runs */
        job->done(job);
    }
}

static void on_async(uv_async_t *async)
{
    collect(container_of(async, struct worker, async));
}

struct worker *worker_new(struct loop *loop)
{
    struct worker *w = NEW(struct worker);
    list_init(&w->waiting);
    list_init(&w->yielding);
    list_init(&w->todo);
    list_init(&w->finished);
    CHECK(uv_mutex_init(&w->mutex) == 0);
    CHECK(uv_cond_init(&w->wake) == 0);
    CHECK(uv_async_init(loop_uv(loop), &w->async, on_async) == 0);
    uv_unref((uv_handle_t *)&w->async);
    CHECK(uv_thread_create(&w->thread, run_thread, w) == 0);
    return w;
}

void worker_submit(struct worker *w, struct job *job)
{
    CHECK(!job->running && !w->ending);
    list_push_back(job->yields ? &w->yielding : &w->waiting, &job->link);
    hand_over(w);
}

bool worker_forget(struct worker *w, struct job *job)
{
    if (job->running)
        return false;
    CHECK(job->link.on == NULL || job->link.on == &w->waiting || job->link.on == &w->yielding);
    list_remove(&job->link);
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct worker *w = container_of((uv_async_t *)handle, struct worker, async);
    free(w);
}

void worker_free(struct worker *w)
{
    CHECK(w->waiting.count == 0 && w->yielding.count == 0);
    uv_mutex_lock(&w->mutex);
    w->ending = true;
    uv_cond_signal(&w->wake);
    uv_mutex_unlock(&w->mutex);
    CHECK(uv_thread_join(&w->thread) == 0);
    collect(w);
    CHECK(w->handed_over == 0);
    uv_cond_destroy(&w->wake);
    uv_mutex_destroy(&w->mutex);
    uv_ref((uv_handle_t *)&w->async);
    uv_close((uv_handle_t *)&w->async, on_closed);
}
