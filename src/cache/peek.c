#include "cache/peek.h"

#include "base/spares.h"
#include "budget/gate.h"
#include "cache/decoder.h"

static struct spares bodies;

static void enter(struct peek *p, enum peek_state to)
{
    STATE_ENTER_FOR(peek, &p->state, to, p->order.upstream, 0, p->order.id);
}

void peek_init(struct peek *p, const struct peek_order *order, struct timing *timing,
               const struct exchange_events *events, void *owner)
{
    *p = (struct peek){.order = *order, .timing = timing, .events = events, .owner = owner};
}

void peek_redirect(struct peek *p, const struct exchange_events *events, void *owner)
{
    p->events = events;
    p->owner = owner;
}

/* -------------------------------------------------------------- what is looked for */

/* False: the body is in a coding that cannot be looked into. */
static bool find_decoder(struct peek *p, const struct fields *fields)
{
    const struct field *f = fields_find(fields, SPAN("Content-Encoding"));
    if (f == NULL || span_is_nocase(f->value, SPAN("identity")))
        return true;
    if (fields_count(fields, SPAN("Content-Encoding")) == 1)
        p->decoder = decoder_new(f->value);
    return p->decoder != NULL;
}

/* NULL: the body of such a response says nothing that matters. */
static const struct config_names *prefixes_for(const struct peek *p, unsigned status)
{
    const struct config_names *names = NULL;
    if (status == 200)
        names = &p->order.settings->error_prefix;
    else if (p->order.is_order && (status >= 500 || status == 408))
        names = &p->order.settings->known_refusals;
    return names && names->count ? names : NULL;
}

/* Clients need its events one by one (WHATWG HTML 9.2.5). */
static bool is_event_stream(const struct response *r)
{
    const struct field *f = fields_find(&r->fields, SPAN("Content-Type"));
    struct span type = f ? span_first(f->value, span_find(f->value, ';')) : SPAN("");
    return span_is_nocase(span_trim(type), SPAN("text/event-stream"));
}

static bool waits_for_all(const struct peek *p, const struct response *r)
{
    bool fits = r->framing != FRAMING_LENGTH || r->length <= PEEK_HELD_MOST;
    return p->order.is_order && fits && !is_event_stream(r);
}

static bool may_be_ban(const struct peek *p, unsigned status)
{
    return p->order.settings->hold_until_prefix && reported_limit_counts(p->order.settings, status);
}

static void choose(struct peek *p, const struct response *r)
{
    const struct config_names *prefixes = prefixes_for(p, r->status);
    bool bans = may_be_ban(p, r->status);
    bool sees = (prefixes || bans) && find_decoder(p, &r->fields);
    p->prefixes = sees ? prefixes : NULL;
    p->timing->unseen = prefixes && !sees;
    p->bans = sees && bans;
    p->whole = waits_for_all(p, r);
}

static void hold(struct peek *p, const struct response *r)
{
    enter(p, PEEK_HOLDING);
    p->arena = arena_new();
    p->head = *r;
    p->head.reason = arena_span(p->arena, r->reason);
    p->head.fields = fields_copy(p->arena, &r->fields);
}

void peek_head(struct peek *p, const struct response *r)
{
    if (r->framing != FRAMING_NONE)
        choose(p, r);
    if (!p->bans)
        p->order.on_seen(p);
    if (p->prefixes || p->bans || p->whole) {
        hold(p, r);
        return;
    }
    enter(p, PEEK_PASSING);
    p->events->on_head(p->owner, r);
}

/* ------------------------------------------------------------------------- looking */

/* Does the body begin with a prefix; and if not, could it still with more of it? */
static bool begins(struct peek *p, bool *may_yet)
{
    struct span seen = text_span(&p->seen);
    for (size_t i = 0; i < p->prefixes->count; i++) {
        struct span prefix = span_of(p->prefixes->at[i]);
        if (span_starts(seen, prefix))
            return true;
        *may_yet = *may_yet || span_starts(prefix, seen);
    }
    return false;
}

/* False: the body is not in the coding that its head names. */
static bool decode(struct peek *p, struct span data)
{
    if (p->decoder)
        return decoder_feed(p->decoder, data, &p->seen, PEEK_BAN_MOST);
    text_add(&p->seen, span_first(data, PEEK_BAN_MOST - p->seen.len));
    return true;
}

static void look_for_refusal(struct peek *p, bool decodes)
{
    bool may_yet = false;
    p->timing->unseen = !decodes;
    bool found = begins(p, &may_yet);
    if (p->head.status == 200)
        p->timing->refused = found;
    else
        p->timing->known_refusal = found;
    if (found || p->timing->unseen || !may_yet)
        p->prefixes = NULL;
}

/* Reads the number after the prefix, of at most 15 digits; false: more of it may come. */
static bool read_ban(struct peek *p)
{
    struct span prefix = span_of(p->order.settings->hold_until_prefix), rest = text_span(&p->seen);
    const char *found = rest.len ? memmem(rest.at, rest.len, prefix.at, prefix.len) : NULL;
    rest = span_from(rest, found ? (size_t)(found - rest.at) + prefix.len : rest.len);
    int64_t number = 0;
    size_t digits = 0;
    while (digits < rest.len && digits <= 15 && rest.at[digits] >= '0' && rest.at[digits] <= '9')
        number = number * 10 + (rest.at[digits++] - '0');
    p->ban_until_ms = digits <= 15 ? number : 0;
    return digits < rest.len;
}

static void end_bans(struct peek *p)
{
    if (p->bans)
        p->order.on_seen(p);
    p->bans = false;
}

/* Stops looking when it has seen enough, or cannot read the coding. */
static void look(struct peek *p, struct span data)
{
    bool decodes = decode(p, data);
    if (p->prefixes)
        look_for_refusal(p, decodes);
    if (p->bans && (read_ban(p) || !decodes || p->seen.len >= PEEK_BAN_MOST))
        end_bans(p);
}

/* ---------------------------------------------------------------------- passing on */

bool peek_holds(const struct peek *p)
{
    return p->state == PEEK_HOLDING;
}

void peek_flush(struct peek *p)
{
    if (p->state != PEEK_HOLDING)
        return;
    struct arena *head = p->arena;
    struct text held = p->held;
    p->arena = NULL;
    p->held = (struct text){0};
    end_bans(p);
    enter(p, PEEK_PASSING);
    p->head.whole = p->whole;
    p->events->on_head(p->owner, &p->head);
    if (p->state == PEEK_PASSING && held.len)
        p->events->on_body(p->owner, held.at, held.len);
    text_end(&held, &bodies);
    arena_free(head);
}

/* There is more than it holds: all of it is passed on at once. */
static void overflow(struct peek *p, struct span data)
{
    p->timing->unseen |= p->prefixes != NULL;
    p->prefixes = NULL;
    p->whole = false;
    peek_flush(p);
    if (p->state == PEEK_PASSING)
        p->events->on_body(p->owner, data.at, data.len);
}

void peek_body(struct peek *p, const char *data, size_t len)
{
    struct span piece = {data, len};
    if (p->state != PEEK_HOLDING) {
        p->events->on_body(p->owner, data, len);
        return;
    }
    if (p->prefixes || p->bans)
        look(p, piece);
    if (p->held.len + len > PEEK_HELD_MOST) {
        overflow(p, piece);
        return;
    }
    if (p->held.at == NULL)
        text_begin(&p->held, &bodies);
    text_add(&p->held, piece);
    if (!p->whole && p->prefixes == NULL && !p->bans)
        peek_flush(p);
}

void peek_stop(struct peek *p)
{
    if (p->state != PEEK_STOPPED)
        enter(p, PEEK_STOPPED);
}

void peek_free(struct peek *p)
{
    arena_free(p->arena);
    text_end(&p->held, &bodies);
    text_free(&p->seen);
    decoder_free(p->decoder);
}
