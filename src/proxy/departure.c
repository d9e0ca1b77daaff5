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

bool departure_ask(struct departure *d)
{
    bool stopped = departure_is_stopped(d);
    if (stopped)
        loop_defer(d->order->loop, &d->refusal);
    return stopped;
}

static void on_refusal(struct task *task)
{
    struct departure *d = container_of(task, struct departure, refusal);
    d->on_freeze(d->owner);
}

static void on_freeze(void *owner)
{
    struct departure *d = owner;
    if (departure_is_stopped(d))
        d->on_freeze(d->owner);
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
