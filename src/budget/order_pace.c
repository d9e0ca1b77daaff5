#include "budget/order_pace.h"

void order_pace_review(struct order_pace *p)
{
    uint64_t at = bot_shares_next(p->bots, loop_now(p->loop));
    if (at == UINT64_MAX)
        deadline_stop(&p->wake);
    else
        deadline_at(&p->wake, at);
}

static void let_on(struct order_pace *p, struct bot_share *b)
{
    struct gate_waiter *w;
    while ((w = gate_waiter_first(&b->waiting)) && bucket_take(&b->orders, loop_now(p->loop))) {
        list_remove(&w->link);
        w->is_paced = false;
        p->on_turn(p->owner, w);
    }
}

static void on_wake(struct deadline *d)
{
    struct order_pace *p = container_of(d, struct order_pace, wake);
    for (size_t i = 0; i < p->bots->count; i++)
        let_on(p, p->bots->at[i]);
    order_pace_review(p);
}

void order_pace_init(struct order_pace *p, struct loop *loop, struct bot_shares *bots,
                     void (*on_turn)(void *owner, struct gate_waiter *), void *owner)
{
    *p = (struct order_pace){.bots = bots, .loop = loop, .on_turn = on_turn, .owner = owner};
    deadline_init(&p->wake, loop, on_wake);
}

void order_pace_end(struct order_pace *p)
{
    deadline_stop(&p->wake);
}

bool order_pace_take(struct order_pace *p, struct gate_waiter *w, uint64_t *at_ms)
{
    uint64_t now = loop_now(p->loop);
    if (!w->places || !bot_share_is_paced(w->share))
        return true;
    if (w->share->waiting.count == 0 && bucket_take(&w->share->orders, now))
        return true;
    *at_ms = bucket_when(&w->share->orders, now, w->share->waiting.count + 1);
    w->is_paced = true;
    return false;
}

void order_pace_wait(struct order_pace *p, struct gate_waiter *w)
{
    list_push_back(&w->share->waiting, &w->link);
    order_pace_review(p);
}
