#include "tests/sim/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/kernel.h"
#include "tests/sim/life.h"

#define LEAVES_SLACK_US 100000 /* the turns of a busy machine */
#define ANSWER_SLACK_US                                                                            \
    2500000            /* and a journal that takes a second for the begin, and for the end */
#define ENDS_US 300000 /* until the end of what the daemon has given up is heard of */
#define LOOKED_AT 200  /* bytes of a write: its request line is there */

struct waiting {
    struct waiting *next;
    unsigned number, order, life;
    const char *upstream;
    const struct end *end, *left_on; /* where its client is; where it left last */
    unsigned overtaker;              /* 0: none has left before it that came later */
    bool was_read, has_left, has_ended;
    uint64_t read_us, turn, answered; /* bytes that the daemon had sent when it had read it */
};

static struct queue_rules rules;
static struct waiting *all;
static bool may_be_held, is_ordered;

void queue_allow(const struct queue_rules *r, bool ordered)
{
    rules.order_us = r->order_us > rules.order_us ? r->order_us : rules.order_us;
    rules.queue_us = r->queue_us > rules.queue_us ? r->queue_us : rules.queue_us;
    is_ordered = ordered;
}

void queue_may_be_held(void)
{
    may_be_held = true;
}

static bool is_there(const struct waiting *w)
{
    return w->was_read && !w->has_left && !w->has_ended && w->life == life_number() &&
           life_is_on() && end_peer_sent(w->end) == w->answered;
}

/* ------------------------------------------------------------------------- in time */

static void look_late(void *owner)
{
    const struct waiting *w = owner;
    if (!is_there(w) || (w->order == 0 && may_be_held))
        return;
    world_fault("waits", "try %u (order %u) has waited for %.1f s", w->number, w->order,
                (double)(world_us() - w->read_us) / 1e6);
}

static void on_read(void *owner)
{
    struct waiting *w = owner;
    w->was_read = true;
    w->read_us = world_us();
    w->turn = kernel_turns();
    w->answered = end_peer_sent(w->end);
    uint64_t most = w->order ? rules.order_us : rules.queue_us;
    if (most)
        world_in(most + ANSWER_SLACK_US, look_late, w);
}

void queue_enters(unsigned number, unsigned order, const char *upstream, struct end *e, uint64_t at)
{
    struct waiting *w = NEW(struct waiting);
    *w = (struct waiting){.next = all,
                          .number = number,
                          .order = order,
                          .life = life_number(),
                          .upstream = upstream,
                          .end = e};
    all = w;
    end_mark(e, at, on_read, w);
}

void queue_ends(unsigned number)
{
    for (struct waiting *w = all; w; w = w->next)
        w->has_ended |= w->number == number;
}

/* ------------------------------------------------------------------------ in order */

static void overtaken(const struct waiting *w)
{
    world_fault("order", "try %u leaves before try %u, which was there earlier", w->overtaker,
                w->number);
}

static void look_overtaken(void *owner)
{
    const struct waiting *w = owner;
    if (is_there(w))
        overtaken(w);
}

/* What has been overtaken may have been refused, or have lost its client, a moment ago: then it
 * ends without leaving. */
static void look_order(const struct waiting *w)
{
    if (w->overtaker)
        overtaken(w);
    for (struct waiting *o = all; o; o = o->next)
        if (is_there(o) && o->order == 0 && o->overtaker == 0 &&
            strcmp(o->upstream, w->upstream) == 0 && o->turn < w->turn) {
            o->overtaker = w->number;
            world_in(ENDS_US, look_overtaken, o);
        }
}

/* An order that is sent once more leaves once more; a GET is judged the first time only. */
static void leaves(struct waiting *w, const struct end *on)
{
    bool is_known = w->order ? w->left_on == on : w->has_left;
    w->has_left = true;
    w->left_on = on;
    if (is_known || !w->was_read) /* a large one, whose rest is still to come */
        return;
    if (is_ordered && w->order == 0)
        look_order(w);
    uint64_t waited = world_us() - w->read_us;
    if (w->order && rules.order_us && waited > rules.order_us + LEAVES_SLACK_US)
        world_fault("waits", "order %u leaves %.3f s after it was read", w->order,
                    (double)waited / 1e6);
}

static unsigned number_after(struct span bytes, const char *prefix)
{
    const char *at = memmem(bytes.at, bytes.len, prefix, strlen(prefix));
    return at ? (unsigned)strtoul(at + strlen(prefix), NULL, 10) : 0;
}

/* Of the tries of an order it is the last one: the client has given up the others. */
void queue_sees(struct span bytes, const struct end *on)
{
    struct span line = span_first(bytes, bytes.len < LOOKED_AT ? bytes.len : LOOKED_AT);
    unsigned number = number_after(line, "GET /g/"), order = number_after(line, "POST /o/");
    for (struct waiting *w = all; w && (number || order); w = w->next)
        if (number ? w->number == number : w->order == order) {
            leaves(w, on);
            return;
        }
}
