#include "proxy/order_adopt.h"

#include <string.h>

#include "proxy/order_line.h"
#include "proxy/order_rules.h"

/* Its bytes may be on their way at any moment. */
static enum sent sent(const void *owner)
{
    (void)owner;
    return SENT_YES;
}

static void enter(struct order_adopted *a, struct dedupe *dedupe, const struct config *c,
                  const char *upstream, const char *digest_text)
{
    struct order_digest digest;
    const struct upstream_config *u = config_find(c, upstream, strlen(upstream));
    uint64_t within = order_dedupe_longest(u ? u : &c->defaults);
    if (within == 0 || !order_digest_read(span_of(digest_text), &digest))
        return;
    if (dedupe_enter(dedupe, &a->claim, upstream, &digest, within) == DEDUPE_COPY)
        dedupe_leave(&a->claim); /* it is known, or is a copy that went before there was a guard */
}

void order_adopt(struct order_adopted *a, struct dedupe *dedupe, const struct config *c,
                 const struct request_id *id, struct span begin)
{
    static const struct dedupe_events events = {.sent = sent};
    struct order_line l;
    if (a->claim.record)
        return;
    a->claim = (struct dedupe_claim){.events = &events, .owner = a, .id = id};
    order_line_read(&l, span_first(begin, span_find(begin, '\n')));
    const char *upstream = json_string_value(json_object_get(l.object, "upstream"));
    const char *digest = json_string_value(json_object_get(l.object, "digest"));
    if (l.kind == ORDER_LINE_BEGIN && upstream && digest)
        enter(a, dedupe, c, upstream, digest);
    order_line_clear(&l);
}

/* How long ago it was sent: not since it came, since it may have waited. */
static uint64_t age_of(const struct record *r, uint64_t now_us)
{
    uint64_t lent_us = r->timing.lent_us;
    return lent_us && lent_us < now_us ? (now_us - lent_us) / 1000 : 0;
}

void order_adopted_end(struct order_adopted *a, const struct record *r, uint64_t now_us)
{
    uint64_t age_ms = age_of(r, now_us);
    if (a->claim.record == NULL)
        return;
    if (r->sent != SENT_NO && r->error == FAILURE_NONE && r->status)
        dedupe_answered(&a->claim, age_ms, r->status, NULL);
    else
        dedupe_lost(&a->claim, age_ms, 0, r->error, r->sent);
}
