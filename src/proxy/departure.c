#include "proxy/departure.h"

#include "proxy/order_rules.h"

static bool passes(const struct fetch_order *o)
{
    const struct conn_request *r = &o->request;
    if (o->settings == NULL)
        return false;
    return r->upgrades ? order_upgrade_passes_freeze(o->settings, r->method, r->target)
                       : order_passes_freeze(o->settings, r->method, r->target);
}

bool departure_is_stopped(const struct departure *d)
{
    const struct fetch_order *o = d->order;
    return o->freezes && freezes_find(o->freezes, pool_origin(o->pool)->name, o->bot_said) &&
           !passes(o);
}

static bool stop(struct departure *d, struct verdict why)
{
    d->why = why;
    loop_defer(d->order->loop, &d->refusal);
    return true;
}

bool departure_ask(struct departure *d)
{
    return departure_is_stopped(d) && stop(d, freezes_verdict());
}

bool departure_ask_last(struct departure *d, uint64_t until_ms)
{
    if (departure_ask(d))
        return true;
    return loop_now(d->order->loop) >= until_ms &&
           stop(d, verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                                "its time to be sent was over before it could be"));
}

static void on_refusal(struct task *task)
{
    struct departure *d = container_of(task, struct departure, refusal);
    d->on_stopped(d->owner, &d->why);
}

static void on_freeze(void *owner)
{
    struct departure *d = owner;
    const struct verdict why = freezes_verdict();
    if (departure_is_stopped(d))
        d->on_stopped(d->owner, &why);
}

void departure_open(struct departure *d)
{
    d->entry = (struct freezes_entry){.on_freeze = on_freeze, .owner = d};
    task_init(&d->refusal, on_refusal);
    if (d->order->freezes)
        freezes_enter(d->order->freezes, &d->entry);
}

void departure_close(struct departure *d)
{
    freezes_leave(&d->entry);
    task_forget(&d->refusal);
}
