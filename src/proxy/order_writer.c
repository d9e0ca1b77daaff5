/* A hand-off costs what it takes to wake a thread, more than all the rest of a line. So the thread
 * is woken only if it sleeps, and the loop only if it waits: before it does, it takes what is
 * finished by then. Where the file system can append without waiting, the loop does that itself while
 * the thread sleeps, under the mutex: the file is the thread's otherwise. */
#include "proxy/order_writer.h"

#include "proxy/order_other.h"

#define MAGIC 0x6f777274

struct order_writer {
    unsigned magic;
    uv_async_t async;
    struct loop *loop;
    struct task look; /* before the loop waits */
    uv_thread_t thread;
    size_t count; /* the loop's own: given, and not told of */
    bool at_once; /* it may append itself */
    const struct order_writer_events *events;
    void *owner;

    uv_mutex_t sends; /* held while the thread wakes the loop; taken inside the other one */
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t wake, handed_back;
    struct list given, finished;
    size_t others; /* of those that are finished, those that were not given */
    bool ending;
    bool thread_sleeps;
    bool loop_wants; /* to be woken; not from the time lines are given until it is about to wait */

    struct order_file *file; /* the thread's own unless it sleeps, as is what follows */
    struct list lines;       /* those it works on */
    struct list read;        /* what others have written before them */
    struct text buffer, piece;
};

static struct order_writing *line_of(struct link *link)
{
    return container_of(link, struct order_writing, link);
}

/* ---------------------------------------------------------------------- on the thread */

/* False: it is to end. */
static bool take(struct order_writer *w)
{
    uv_mutex_lock(&w->mutex);
    while (w->given.count == 0 && !w->ending) {
        w->thread_sleeps = true;
        uv_cond_wait(&w->wake, &w->mutex);
    }
    w->thread_sleeps = false;
    list_append(&w->lines, &w->given);
    uv_mutex_unlock(&w->mutex);
    return w->lines.count > 0;
}

/* Puts the lines up to `end` in the buffer. */
static void gather(struct order_writer *w, struct link *k, const struct link *end)
{
    text_clear(&w->buffer);
    for (; k != end; k = list_next(k))
        text_add(&w->buffer, text_span(&line_of(k)->line));
}

/* Those whose bytes are in the buffer; `written` of them are in the file. A line that lacks its "\n"
 * only is written: readers take it, and the next append ends it (order_file.h). Written again it would
 * be there twice. */
static void note_outcomes(struct link *k, const struct link *end, size_t written, int error)
{
    size_t at = 0;
    for (; k != end; k = list_next(k)) {
        struct order_writing *l = line_of(k);
        size_t from = at;
        at += l->line.len;
        l->outcome = written + 1 >= at ? ORDER_WRITTEN
                     : written <= from ? ORDER_UNWRITTEN
                                       : ORDER_UNSURE;
        l->error = l->outcome == ORDER_WRITTEN ? 0 : error;
    }
}

/* What could not be synced counts as not written, and may be in the file all the same. */
static void note_sync(struct link *k, const struct link *end, int error)
{
    for (; error && k != end; k = list_next(k)) {
        struct order_writing *l = line_of(k);
        if (!l->syncs || l->outcome != ORDER_WRITTEN)
            continue;
        l->outcome = ORDER_UNSURE;
        l->error = error;
    }
}

/* The lines from `from` on are the last of the file that ends here at `k`. */
static struct link *switch_file(struct order_writer *w, struct link *from, struct link *k)
{
    struct order_writing *l = line_of(k);
    note_sync(from, k, order_file_sync(w->file));
    order_file_close(w->file);
    w->file = l->switch_to;
    l->outcome = ORDER_WRITTEN;
    return list_next(k);
}

static void append_all(struct order_writer *w)
{
    struct link *k = list_first(&w->lines);
    while (k) {
        struct link *from = k;
        size_t written;
        while (k && !line_of(k)->switch_to)
            k = list_next(k);
        gather(w, from, k);
        int error = order_file_append(w->file, text_span(&w->buffer), &written);
        note_outcomes(from, k, written, error);
        while (order_file_take_others(w->file, &w->piece))
            order_other_read(&w->read, text_span(&w->piece), order_file_life(w->file));
        if (k)
            k = switch_file(w, from, k);
    }
}

/* Hands back those that are waited for no longer: all, or those that need no sync. */
static void hand_back(struct order_writer *w, bool synced)
{
    size_t count = 0;
    uv_mutex_lock(&w->mutex);
    w->others += w->read.count;
    list_append(&w->finished, &w->read);
    for (struct link *k = list_first(&w->lines), *next; k; k = next) {
        next = list_next(k);
        if (line_of(k)->syncs && !synced)
            continue;
        list_remove(k);
        list_push_back(&w->finished, k);
        count++;
    }
    bool wakes = count && w->loop_wants;
    if (wakes) {
        w->loop_wants = false;
        uv_mutex_lock(&w->sends);
    }
    uv_mutex_unlock(&w->mutex); /* before the loop wakes, and takes it */
    if (wakes) {
        CHECK(uv_async_send(&w->async) == 0);
        uv_mutex_unlock(&w->sends);
    }
    uv_cond_signal(&w->handed_back);
}

static void sync_rest(struct order_writer *w)
{
    note_sync(list_first(&w->lines), NULL, order_file_sync(w->file));
}

static void run(void *arg)
{
    struct order_writer *w = arg;
    while (take(w)) {
        append_all(w);
        hand_back(w, false);
        if (w->lines.count == 0)
            continue;
        sync_rest(w);
        hand_back(w, true);
    }
}

/* ------------------------------------------------------------------------ on the loop */

/* The handle keeps the loop running only while lines are out. */
static void set_count(struct order_writer *w, size_t count)
{
    w->count = count;
    if (count)
        uv_ref((uv_handle_t *)&w->async);
    else
        uv_unref((uv_handle_t *)&w->async);
}

static void tell(struct order_writer *w, struct order_writing *l)
{
    if (!l->is_other) {
        l->is_given = l->is_begun = false;
        w->events->on_outcome(w->owner, l);
        return;
    }
    struct order_other *o = order_other_of(l);
    w->events->on_other(w->owner, o);
    order_other_free(o);
}

/* What is finished from now on wakes the loop. */
static void collect(struct order_writer *w)
{
    struct list finished;
    struct link *k;
    list_init(&finished);
    uv_mutex_lock(&w->mutex);
    list_append(&finished, &w->finished);
    size_t others = w->others;
    w->others = 0;
    w->loop_wants = true;
    uv_mutex_unlock(&w->mutex);
    set_count(w, w->count - (finished.count - others));
    while ((k = list_first(&finished))) {
        list_remove(k);
        tell(w, line_of(k));
    }
}

static void on_async(uv_async_t *async)
{
    collect(container_of(async, struct order_writer, async));
}

static void on_look(struct task *t)
{
    collect(container_of(t, struct order_writer, look));
}

/* The thread sleeps, and has been given nothing: the file may take the lines now, up to the first
 * that syncs or switches. Those that it takes are finished. */
static void append_at_once(struct order_writer *w, struct list *lines)
{
    struct link *end = list_first(lines), *k;
    while (end && !line_of(end)->switch_to && !line_of(end)->syncs)
        end = list_next(end);
    gather(w, list_first(lines), end);
    size_t written = w->buffer.len ? order_file_append_at_once(w->file, text_span(&w->buffer)) : 0;
    note_outcomes(list_first(lines), end, written, 0);
    while ((k = list_first(lines)) != end && line_of(k)->outcome == ORDER_WRITTEN) {
        list_remove(k);
        list_push_back(&w->finished, k);
    }
    if (k != end)
        line_of(k)->is_begun = line_of(k)->outcome == ORDER_UNSURE;
}

void order_writer_allow(struct order_writer *w, bool at_once)
{
    MAGIC_CHECK(w, MAGIC);
    w->at_once = at_once;
}

void order_writer_give(struct order_writer *w, struct list *lines)
{
    MAGIC_CHECK(w, MAGIC);
    if (lines->count == 0)
        return;
    set_count(w, w->count + lines->count);
    for (struct link *k = list_first(lines); k; k = list_next(k))
        line_of(k)->is_given = true;
    uv_mutex_lock(&w->mutex);
    if (w->at_once && w->thread_sleeps && order_file_takes_at_once(w->file))
        append_at_once(w, lines);
    bool wakes = w->thread_sleeps && lines->count;
    w->thread_sleeps &= !wakes;
    w->loop_wants = false;
    list_append(&w->given, lines);
    uv_mutex_unlock(&w->mutex);
    if (wakes)
        uv_cond_signal(&w->wake);
    loop_defer_to_wait(w->loop, &w->look);
}

bool order_writer_take_back(struct order_writer *w, struct order_writing *l)
{
    MAGIC_CHECK(w, MAGIC);
    uv_mutex_lock(&w->mutex);
    bool is_here = l->link.on == &w->given && !l->is_begun;
    if (is_here)
        list_remove(&l->link);
    uv_mutex_unlock(&w->mutex);
    if (is_here) {
        l->is_given = false;
        set_count(w, w->count - 1);
    }
    return is_here;
}

void order_writer_look(struct order_writer *w)
{
    MAGIC_CHECK(w, MAGIC);
    collect(w);
}

bool order_writer_wait(struct order_writer *w, uint64_t ms)
{
    uint64_t until = loop_real_clock_us() + ms * 1000, now;
    MAGIC_CHECK(w, MAGIC);
    uv_mutex_lock(&w->mutex);
    while (w->finished.count - w->others < w->count && (now = loop_real_clock_us()) < until)
        (void)uv_cond_timedwait(&w->handed_back, &w->mutex, (until - now) * 1000);
    bool done = w->finished.count - w->others == w->count;
    uv_mutex_unlock(&w->mutex);
    if (done)
        collect(w);
    return done;
}

/* The thread has no handle to send to any more. */
void order_writer_abandon(struct order_writer *w)
{
    MAGIC_CHECK(w, MAGIC);
    uv_mutex_lock(&w->mutex);
    w->loop_wants = false;
    uv_mutex_unlock(&w->mutex);
    uv_mutex_lock(&w->sends); /* it may be about to */
    uv_mutex_unlock(&w->sends);
    task_forget(&w->look);
    uv_ref((uv_handle_t *)&w->async);
    uv_close((uv_handle_t *)&w->async, NULL);
}

size_t order_writer_count(const struct order_writer *w)
{
    return w->count;
}

struct order_writer *order_writer_new(struct loop *loop, struct order_file *file,
                                      const struct order_writer_events *events, void *owner)
{
    struct order_writer *w = NEW(struct order_writer);
    MAGIC_INIT(w, MAGIC);
    w->file = file;
    w->events = events;
    w->owner = owner;
    list_init(&w->given);
    list_init(&w->finished);
    list_init(&w->lines);
    list_init(&w->read);
    CHECK(uv_mutex_init(&w->sends) == 0);
    CHECK(uv_mutex_init(&w->mutex) == 0);
    CHECK(uv_cond_init(&w->wake) == 0);
    CHECK(uv_cond_init(&w->handed_back) == 0);
    CHECK(uv_async_init(loop_uv(loop), &w->async, on_async) == 0);
    uv_unref((uv_handle_t *)&w->async);
    w->loop = loop;
    w->loop_wants = true;
    task_init(&w->look, on_look);
    CHECK(uv_thread_create(&w->thread, run, w) == 0);
    return w;
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of((uv_async_t *)handle, struct order_writer, async));
}

void order_writer_free(struct order_writer *w)
{
    MAGIC_CHECK(w, MAGIC);
    uv_mutex_lock(&w->mutex);
    w->ending = true;
    uv_cond_signal(&w->wake);
    uv_mutex_unlock(&w->mutex);
    CHECK(uv_thread_join(&w->thread) == 0);
    collect(w);
    CHECK(w->count == 0);
    order_file_close(w->file);
    text_free(&w->buffer);
    text_free(&w->piece);
    uv_cond_destroy(&w->wake);
    uv_cond_destroy(&w->handed_back);
    uv_mutex_destroy(&w->mutex);
    uv_mutex_destroy(&w->sends);
    w->magic = 0;
    task_forget(&w->look);
    uv_ref((uv_handle_t *)&w->async);
    uv_close((uv_handle_t *)&w->async, on_closed);
}
