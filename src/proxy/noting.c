#include "proxy/noting.h"

#include "base/duration.h"
#include "base/rare.h"
#include "proxy/order_digest.h"
#include "proxy/order_ids.h"
#include "proxy/redact.h"

/* Is all of it here, and not too long to be looked at? */
static bool has_body(const struct upload *u)
{
    return u->complete && u->replayable && u->kept.len <= UPLOAD_KEPT_MAX;
}

static struct span whole_body(const struct upload *u)
{
    return has_body(u) ? text_span(&u->kept) : (struct span){0};
}

static void find_ids(struct noting *n)
{
    const struct fetch_order *o = n->order;
    struct text ids = {0};
    if (!(o->is_order || o->entry) || o->settings->order_ids.count == 0)
        return;
    order_ids_add(&ids, &o->settings->order_ids, o->request.target, whole_body(n->upload));
    if (ids.len)
        *o->order_ids = arena_span(o->arena, text_span(&ids));
    text_free(&ids);
}

/* ------------------------------------------------------------------------------- events */

static void stop(struct noting *n)
{
    n->waits = false;
    n->waited_us += loop_event_us(n->order->loop) - n->began_us;
    deadline_stop(&n->late);
}

static void on_begun(void *owner, const struct verdict *why)
{
    struct noting *n = owner;
    stop(n);
    if (why) {
        line_unkeep(&n->hold);
        n->events->on_refused(n->owner, why);
        return;
    }
    struct line *line = line_claim(&n->hold);
    if (line == NULL)
        rare_note(RARE_ORDER_LOST_LINE);
    n->events->on_noted(n->owner, line);
}

static void give_up(struct noting *n)
{
    stop(n);
    order_entry_forget(n->order->entry);
    line_unkeep(&n->hold);
}

static void on_late(struct deadline *d)
{
    struct noting *n = container_of(d, struct noting, late);
    char waited[DURATION_TEXT_SIZE];
    struct verdict why = verdict_make(
        FAILURE_DESTINATION_UNAVAILABLE, SENT_NO, "the order journal was not written within %s",
        duration_text(waited, (loop_clock_us(n->order->loop) - n->began_us) / 1000));
    give_up(n);
    n->events->on_refused(n->owner, &why);
}

/* -------------------------------------------------------------------------------- asked */

static bool begin(struct noting *n)
{
    const struct fetch_order *o = n->order;
    char digest[ORDER_DIGEST_TEXT_SIZE];
    struct order_digest d;
    struct text target = {0};
    struct span body = whole_body(n->upload);
    bool has_digest =
        has_body(n->upload) && order_digest_once(o->digest, o->settings, &o->request, body, &d);
    if (has_digest)
        order_digest_write(&d, digest);
    find_ids(n);
    struct span shown = o->request.target;
    if (!redact_shows_target(shown)) {
        redact_target(&target, &o->settings->credential_params, shown);
        shown = text_span(&target);
    }
    struct order_begin b = {.id = &o->id,
                            .upstream = pool_origin(o->pool)->name,
                            .bot = o->bot,
                            .client = o->client,
                            .method = o->request.method,
                            .target = shown,
                            .ids = *o->order_ids,
                            .digest = has_digest ? digest : NULL};
    bool may_go = order_entry_begin(o->entry, &b, on_begun, n);
    text_free(&target);
    return may_go;
}

bool noting_ask(struct noting *n, struct line *line, uint64_t until_ms)
{
    if (n->order->entry == NULL || order_entry_is_noted(n->order->entry) || begin(n))
        return true;
    n->waits = true;
    n->began_us = loop_event_us(n->order->loop);
    line_keep(line, &n->hold);
    if (until_ms != UINT64_MAX)
        deadline_at(&n->late, until_ms);
    return false;
}

void noting_end(struct noting *n, enum sent sent)
{
    if (n->waits)
        give_up(n);
    if (sent != SENT_NO && (n->status == 0 || n->status == 408 || n->status >= 500))
        find_ids(n);
}

void noting_init(struct noting *n, const struct noting_events *events, void *owner,
                 const struct fetch_order *order, const struct upload *upload)
{
    *n = (struct noting){.events = events, .owner = owner, .order = order, .upload = upload};
    deadline_init(&n->late, order->loop, on_late);
}
