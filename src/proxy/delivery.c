#include "proxy/delivery.h"

void delivery_init(struct delivery *d, uint64_t *repeated)
{
    *d = (struct delivery){.repeated = repeated};
}

enum sent delivery_sent(const struct delivery *d, const struct exchange *present)
{
    enum sent now = present ? exchange_sent(present) : SENT_NO;
    return now > d->sent ? now : d->sent;
}

void delivery_answered(struct delivery *d)
{
    if (d->left && !d->leaves)
        ++*d->repeated;
    d->leaves = true;
}

void delivery_end_try(struct delivery *d, enum sent sent, bool undone)
{
    bool left = d->leaves || undone || sent != SENT_NO;
    if (left)
        delivery_answered(d);
    d->left |= left;
    d->leaves = false;
    if (sent > d->sent)
        d->sent = sent;
}

void delivery_give_up(struct delivery *d, struct exchange **present, bool late)
{
    struct exchange *x = *present;
    *present = NULL;
    if (x == NULL)
        return;
    delivery_end_try(d, exchange_sent(x), false);
    if (late)
        exchange_expire(x);
    else
        exchange_cancel(x);
}

bool delivery_may_repeat(const struct verdict *v, bool is_harmless)
{
    if (v->sent == SENT_NO || v->undone)
        return true;
    return is_harmless && !v->answered && v->error == FAILURE_CONNECTION_TERMINATED;
}
