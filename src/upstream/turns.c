#include "upstream/turns.h"

#include <string.h>
#include <uthash.h>

#define MAGIC 0x7475726e

struct turns {
    unsigned magic;
    struct loop *loop;
    struct turn_queue *map; /* by value; only those in use */
};

/* One value's: someone runs, or the first of those waiting is about to. */
struct turn_queue {
    struct turns *turns;
    struct turn *running;
    struct list waiting;
    struct task pass;
    UT_hash_handle hh;
    size_t len;
    char value[]; /* a secret */
};

static struct turn *turn_of(struct link *link)
{
    return LIST_ENTRY(link, struct turn, link);
}

/* ------------------------------------------------------------------- queues */

static struct turn_queue *find(const struct turns *s, struct span value)
{
    struct turn_queue *q;
    HASH_FIND(hh, s->map, value.at, value.len, q);
    return q;
}

/* A turn whose time is over waits for its own deadline, which is due. */
static void on_pass(struct task *task)
{
    struct turn_queue *q = container_of(task, struct turn_queue, pass);
    MAGIC_CHECK(q->turns, MAGIC);
    struct link *k = list_first(&q->waiting);
    while (k && turn_of(k)->deadline.due <= loop_now(q->turns->loop))
        k = list_next(k);
    if (k == NULL)
        return;
    struct turn *t = q->running = turn_of(k);
    list_remove(&t->link);
    deadline_stop(&t->deadline);
    t->on_turn(t->owner);
}

static struct turn_queue *add(struct turns *s, struct span value)
{
    struct turn_queue *q = must_calloc(1, sizeof *q + value.len);
    q->turns = s;
    list_init(&q->waiting);
    task_init(&q->pass, on_pass);
    q->len = value.len;
    memcpy(q->value, value.at, value.len);
    HASH_ADD_KEYPTR(hh, s->map, q->value, q->len, q);
    return q;
}

static void drop(struct turn_queue *q)
{
    task_forget(&q->pass);
    HASH_DEL(q->turns->map, q);
    explicit_bzero(q, sizeof *q + q->len);
    free(q);
}

/* Somebody left. */
static void settle(struct turn_queue *q)
{
    if (q->running)
        return;
    if (q->waiting.count)
        loop_defer(q->turns->loop, &q->pass);
    else
        drop(q);
}

/* -------------------------------------------------------------------- turns */

static void on_deadline(struct deadline *d)
{
    struct turn *t = container_of(d, struct turn, deadline);
    MAGIC_CHECK(t->turns, MAGIC);
    turn_end(t);
    struct verdict why =
        verdict_make(FAILURE_HTTP_REQUEST_DENIED, SENT_NO,
                     "the request before it with the same serialize_by value is still under way");
    why.status = 429;
    why.retry_after = 1;
    t->on_refused(t->owner, &why);
}

bool turn_take(struct turns *s, struct turn *t, struct span value, uint64_t until_ms)
{
    MAGIC_CHECK(s, MAGIC);
    *t = (struct turn){
        .owner = t->owner, .on_turn = t->on_turn, .on_refused = t->on_refused, .turns = s};
    deadline_init(&t->deadline, s->loop, on_deadline);
    if (value.len == 0)
        value = SPAN("");
    t->queue = find(s, value);
    if (t->queue == NULL) {
        t->queue = add(s, value);
        t->queue->running = t;
        return true;
    }
    list_push_back(&t->queue->waiting, &t->link);
    deadline_at(&t->deadline, until_ms);
    return false;
}

void turn_end(struct turn *t)
{
    struct turn_queue *q = t->queue;
    if (q == NULL)
        return;
    t->queue = NULL;
    deadline_stop(&t->deadline);
    list_remove(&t->link);
    if (q->running == t)
        q->running = NULL;
    settle(q);
}

/* ----------------------------------------------------------------- its life */

struct turns *turns_new(struct loop *loop)
{
    struct turns *s = NEW(struct turns);
    s->magic = MAGIC;
    s->loop = loop;
    return s;
}

void turns_free(struct turns *s)
{
    MAGIC_CHECK(s, MAGIC);
    CHECK(s->map == NULL);
    s->magic = 0;
    free(s);
}
