#include "budget/serializer.h"

#include <string.h>
#include <uthash.h>

#define MAGIC 0x7365726c

struct serializer {
    unsigned magic;
    struct loop *loop;
    struct serializer_queue *map; /* by value; contains only queues in use */
};

/* The queue for one value: an entry is running, or `pass` is about to run the first one that
 * waits. */
struct serializer_queue {
    struct serializer *serializer;
    struct serializer_entry *running;
    struct list waiting;
    struct task pass;
    UT_hash_handle hh;
    size_t len;
    char value[]; /* a secret */
};

static struct serializer_entry *entry_of(struct link *link)
{
    return LIST_ENTRY(link, struct serializer_entry, link);
}

/* ------------------------------------------------------------------- queues */

static struct serializer_queue *find(const struct serializer *s, struct span value)
{
    struct serializer_queue *q;
    HASH_FIND(hh, s->map, value.at, value.len, q);
    return q;
}

/* Entries whose time has run out are skipped: their own deadlines are due and will refuse them. */
static void on_pass(struct task *task)
{
    struct serializer_queue *q = container_of(task, struct serializer_queue, pass);
    MAGIC_CHECK(q->serializer, MAGIC);
    struct link *k = list_first(&q->waiting);
    while (k && entry_of(k)->deadline.due <= loop_now(q->serializer->loop))
        k = list_next(k);
    if (k == NULL)
        return;
    struct serializer_entry *e = q->running = entry_of(k);
    list_remove(&e->link);
    deadline_stop(&e->deadline);
    e->on_admitted(e->owner);
}

static struct serializer_queue *add(struct serializer *s, struct span value)
{
    struct serializer_queue *q = must_calloc(1, sizeof *q + value.len);
    q->serializer = s;
    list_init(&q->waiting);
    task_init(&q->pass, on_pass);
    q->len = value.len;
    memcpy(q->value, value.at, value.len);
    HASH_ADD_KEYPTR(hh, s->map, q->value, q->len, q);
    return q;
}

static void drop(struct serializer_queue *q)
{
    task_forget(&q->pass);
    HASH_DEL(q->serializer->map, q);
    explicit_bzero(q, sizeof *q + q->len);
    free(q);
}

/* An entry has left the queue. */
static void settle(struct serializer_queue *q)
{
    if (q->running)
        return;
    if (q->waiting.count)
        loop_defer(q->serializer->loop, &q->pass);
    else
        drop(q);
}

/* ------------------------------------------------------------------ entries */

static void on_deadline(struct deadline *d)
{
    struct serializer_entry *e = container_of(d, struct serializer_entry, deadline);
    MAGIC_CHECK(e->serializer, MAGIC);
    serializer_leave(e);
    struct verdict why =
        verdict_make(FAILURE_HTTP_REQUEST_DENIED, SENT_NO,
                     "the request before it with the same serialize_by value is still under way");
    why.status = 429;
    why.retry_after = 1;
    e->on_refused(e->owner, &why);
}

bool serializer_enter(struct serializer *s, struct serializer_entry *e, struct span value,
                      uint64_t until_ms)
{
    MAGIC_CHECK(s, MAGIC);
    *e = (struct serializer_entry){.owner = e->owner,
                                   .on_admitted = e->on_admitted,
                                   .on_refused = e->on_refused,
                                   .serializer = s};
    deadline_init(&e->deadline, s->loop, on_deadline);
    if (value.len == 0)
        value = SPAN("");
    e->queue = find(s, value);
    if (e->queue == NULL) {
        e->queue = add(s, value);
        e->queue->running = e;
        return true;
    }
    list_push_back(&e->queue->waiting, &e->link);
    deadline_at(&e->deadline, until_ms);
    return false;
}

void serializer_leave(struct serializer_entry *e)
{
    struct serializer_queue *q = e->queue;
    if (q == NULL)
        return;
    e->queue = NULL;
    deadline_stop(&e->deadline);
    list_remove(&e->link);
    if (q->running == e)
        q->running = NULL;
    settle(q);
}

/* ----------------------------------------------------------------- its life */

struct serializer *serializer_new(struct loop *loop)
{
    struct serializer *s = NEW(struct serializer);
    s->magic = MAGIC;
    s->loop = loop;
    return s;
}

void serializer_free(struct serializer *s)
{
    MAGIC_CHECK(s, MAGIC);
    CHECK(s->map == NULL);
    s->magic = 0;
    free(s);
}
