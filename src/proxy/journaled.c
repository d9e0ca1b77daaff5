#include "proxy/journaled.h"

#include "base/spares.h"
#include "base/state.h"

#define MAGIC 0x6a6f7572

#define JOURNALED_STATES(S)                                                                        \
    S(JOURNALED_PASSING, "passing", TO(JOURNALED_WITHHOLDING) | TO(JOURNALED_OVER))                \
    S(JOURNALED_WITHHOLDING, "withholding", TO(JOURNALED_OVER))                                    \
    S(JOURNALED_OVER, "over", 0)
STATE_TYPE(journaled, JOURNALED_STATES)

struct journaled {
    struct exchange base;
    unsigned magic;
    enum journaled_state state;
    struct loop *loop;
    struct arena *arena;          /* the request's */
    const struct request_id *id;  /* the request's: until it is over */
    struct exchange *transaction; /* NULL: it has ended */
    struct order_entry *entry;
    struct fields trailers; /* withheld */
    enum sent sent;         /* at its end */
    struct task free_later;
};

static struct spares spares;

static struct journaled *self(void *owner)
{
    struct journaled *j = owner;
    MAGIC_CHECK(j, MAGIC);
    return j;
}

static struct journaled *of(struct exchange *x)
{
    return self(container_of(x, struct journaled, base));
}

static void enter(struct journaled *j, enum journaled_state to)
{
    STATE_ENTER_FOR(journaled, &j->state, to, "order journal", 0, j->id);
}

static void free_now(struct task *t)
{
    struct journaled *j = self(container_of(t, struct journaled, free_later));
    j->magic = 0;
    spares_give(&spares, j);
}

static void end(struct journaled *j)
{
    enter(j, JOURNALED_OVER);
    order_entry_release(j->entry);
    loop_defer(j->loop, &j->free_later);
}

/* -------------------------------------------------------------- of the transaction */

static void on_interim(void *owner, const struct response *r)
{
    struct journaled *j = self(owner);
    j->base.events->on_interim(j->base.owner, r);
}

static void on_head(void *owner, const struct response *r)
{
    struct journaled *j = self(owner);
    struct response waits = *r;
    waits.waits = true;
    j->base.events->on_head(j->base.owner, &waits);
}

static void on_body(void *owner, const char *data, size_t len)
{
    struct journaled *j = self(owner);
    j->base.events->on_body(j->base.owner, data, len);
}

static void on_ended(void *owner)
{
    struct journaled *j = self(owner);
    const struct fields trailers = j->trailers;
    end(j);
    j->base.events->on_end(j->base.owner, &trailers);
}

static void on_end(void *owner, const struct fields *trailers)
{
    struct journaled *j = self(owner);
    j->sent = exchange_sent(j->transaction);
    j->transaction = NULL;
    if (order_entry_await(j->entry, on_ended, j)) {
        j->trailers = *trailers;
        on_ended(j);
        return;
    }
    enter(j, JOURNALED_WITHHOLDING);
    j->trailers = fields_copy(j->arena, trailers);
}

/* What is cut off has no end to be withheld. */
static void on_failed(void *owner, const struct verdict *why)
{
    struct journaled *j = self(owner);
    j->transaction = NULL;
    end(j);
    j->base.events->on_failed(j->base.owner, why);
}

static void on_drain(void *owner)
{
    struct journaled *j = self(owner);
    j->base.events->on_drain(j->base.owner);
}

static void on_switch(void *owner, const struct response *head, const struct switched *to)
{
    struct journaled *j = self(owner);
    j->transaction = NULL;
    end(j);
    j->base.events->on_switch(j->base.owner, head, to);
}

static const struct exchange_events transaction_events = {.on_interim = on_interim,
                                                          .on_head = on_head,
                                                          .on_body = on_body,
                                                          .on_end = on_end,
                                                          .on_failed = on_failed,
                                                          .on_drain = on_drain,
                                                          .on_switch = on_switch};

/* ------------------------------------------------------------ asked by the client side */

static bool body(struct exchange *x, const char *data, size_t len)
{
    struct journaled *j = of(x);
    return j->transaction == NULL || exchange_body(j->transaction, data, len);
}

static void finish(struct exchange *x, const struct fields *trailers)
{
    struct journaled *j = of(x);
    if (j->transaction)
        exchange_finish(j->transaction, trailers);
}

static void pause_reading(struct exchange *x)
{
    struct journaled *j = of(x);
    if (j->transaction)
        exchange_pause(j->transaction);
}

static void resume_reading(struct exchange *x)
{
    struct journaled *j = of(x);
    if (j->transaction)
        exchange_resume(j->transaction);
}

static void cancel(struct exchange *x)
{
    struct journaled *j = of(x);
    if (j->transaction)
        exchange_cancel(j->transaction);
    j->transaction = NULL;
    end(j);
}

static enum sent sent(const struct exchange *x)
{
    const struct journaled *j = container_of(x, const struct journaled, base);
    return j->transaction ? exchange_sent(j->transaction) : j->sent;
}

/* An answer that is withheld goes out in a moment, and is whole. */
static void refuse(struct exchange *x, const struct verdict *why)
{
    struct journaled *j = of(x);
    if (j->transaction)
        exchange_refuse(j->transaction, why);
}

/* The transaction goes on without it, and the entry lives until that has ended. */
static bool leave(struct exchange *x)
{
    struct journaled *j = of(x);
    if (j->transaction == NULL || !j->transaction->ops->leave(j->transaction))
        return false;
    j->transaction = NULL;
    end(j);
    return true;
}

static uint64_t patience(const struct exchange *x)
{
    const struct journaled *j = container_of(x, const struct journaled, base);
    return j->transaction ? exchange_patience(j->transaction) : UINT64_MAX;
}

/* ---------------------------------------------------------------------------- opening */

struct exchange *journaled_open(struct order_journal *journal, const struct transaction_order *o,
                                const struct exchange_events *events, void *owner)
{
    static const struct exchange_ops ops = {.body = body,
                                            .finish = finish,
                                            .pause = pause_reading,
                                            .resume = resume_reading,
                                            .cancel = cancel,
                                            .sent = sent,
                                            .refuse = refuse,
                                            .leave = leave,
                                            .patience = patience};
    struct journaled *j = SPARES_NEW(&spares, struct journaled);
    struct transaction_order order = *o;
    MAGIC_INIT(j, MAGIC);
    j->base = (struct exchange){&ops, events, owner};
    j->loop = o->loop;
    j->arena = o->request->arena;
    j->id = &o->request->id;
    j->entry = order.entry = order_journal_enter(journal, &o->request->id);
    task_init(&j->free_later, free_now);
    j->transaction = transaction_open(&order, &transaction_events, j);
    return &j->base;
}
