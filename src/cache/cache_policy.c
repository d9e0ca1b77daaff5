#include "cache/cache_policy.h"

#define SECONDS_MOST UINT64_C(0x7fffffff) /* RFC 9111 1.2.2 */
#define VARY_MAX 32                       /* names; more count as "*" */

/* Is this the directive `name`? Then `argument` is its argument, without quotes (RFC 9111
 * 5.2); empty if it has none. */
static bool argument_of(struct span directive, struct span name, struct span *argument)
{
    size_t equals = span_find(directive, '=');
    if (!span_is_nocase(span_trim(span_first(directive, equals)), name))
        return false;
    *argument = span_trim(span_from(directive, equals + 1));
    if (argument->len >= 2 && argument->at[0] == '"' && argument->at[argument->len - 1] == '"')
        *argument = (struct span){argument->at + 1, argument->len - 2};
    return true;
}

/* Seconds as ms; what is not a number counts as 0, the careful reading. */
static uint64_t seconds_of(struct span argument)
{
    uint64_t n = 0;
    for (size_t i = 0; i < argument.len; i++) {
        if (argument.at[i] < '0' || argument.at[i] > '9')
            return 0;
        n = n * 10 + (uint64_t)(argument.at[i] - '0');
        if (n > SECONDS_MOST)
            n = SECONDS_MOST;
    }
    return n * 1000;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What a client may demand of a cache (RFC 9111 5.2.1). */
static void apply_directive(struct cache_policy *s, struct span directive)
{
    struct span argument;
    if (argument_of(directive, SPAN("no-cache"), &argument))
        s->bypasses = true;
    else if (argument_of(directive, SPAN("no-store"), &argument))
        s->allowed = false;
    else if (argument_of(directive, SPAN("only-if-cached"), &argument))
        s->only_if_cached = true;
    else if (argument_of(directive, SPAN("max-age"), &argument))
        s->most_age_ms = least(s->most_age_ms, seconds_of(argument));
    else if (argument_of(directive, SPAN("min-fresh"), &argument))
        s->fresh_ms -= least(s->fresh_ms, seconds_of(argument));
}

/* stale-if-error (RFC 5861 4) narrows what the operator allows: it is an age beyond
 * freshness. */
static void apply_stale_if_error(struct cache_policy *s, struct span directive, uint64_t beyond_ms)
{
    struct span argument;
    if (argument_of(directive, SPAN("stale-if-error"), &argument))
        s->stale_ms =
            seconds_of(argument) == 0 ? 0 : least(s->stale_ms, beyond_ms + seconds_of(argument));
}

static void apply_client(struct cache_policy *s, const struct fields *fields)
{
    uint64_t operator_fresh_ms = s->fresh_ms;
    bool any = false;
    for (size_t i = 0; i < fields->count; i++) {
        struct span rest = fields->at[i].value, directive;
        if (!span_is_nocase(fields->at[i].name, SPAN("Cache-Control")))
            continue;
        any = true;
        while (span_next_element(&rest, &directive)) {
            apply_directive(s, directive);
            apply_stale_if_error(s, directive, operator_fresh_ms);
        }
    }
    /* RFC 9111 5.4 */
    if (!any && fields_list(fields, SPAN("Pragma"), SPAN("no-cache")))
        s->bypasses = true;
}

static bool name_is_shareable(const struct config_names *names, struct span name)
{
    for (size_t i = 0; i < names->count; i++) {
        struct span allowed = span_of(names->at[i]);
        bool begins = allowed.at[allowed.len - 1] == '*';
        if (begins ? span_starts_nocase(name, span_first(allowed, allowed.len - 1))
                   : span_is_nocase(name, allowed))
            return true;
    }
    return false;
}

static bool all_shareable(const struct config_names *names, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        if (!name_is_shareable(names, fields->at[i].name))
            return false;
    return true;
}

static bool may_share(const struct upstream_config *u, const struct request *r)
{
    return (u->fresh || u->stale_if_error || u->coalesce) && r->framing == FRAMING_NONE &&
           !r->upgrades && (r->is_head || span_is(r->method, SPAN("GET"))) &&
           fields_find(&r->fields, SPAN("Range")) == NULL &&
           all_shareable(&u->shareable_headers, &r->fields);
}

struct cache_policy cache_policy_of(const struct upstream_config *u, const struct request *r,
                                    bool is_private)
{
    struct cache_policy s = {.allowed = !is_private && may_share(u, r)};
    if (!s.allowed)
        return s;
    s.is_head = r->is_head;
    s.is_conditional = fields_find(&r->fields, SPAN("If-None-Match")) ||
                       fields_find(&r->fields, SPAN("If-Modified-Since"));
    s.coalesce = u->coalesce;
    s.most_age_ms = UINT64_MAX;
    s.fresh_ms = u->fresh;
    s.stale_ms = u->stale_if_error ? u->fresh + u->stale_if_error : 0;
    s.max_object = u->cache_max_object;
    s.fields = &r->fields;
    apply_client(&s, &r->fields);
    s.fresh_ms = least(s.fresh_ms, s.most_age_ms);
    return s;
}

/* A follower of a response without end would get it from its beginning. */
static bool is_event_stream(const struct fields *fields)
{
    const struct field *f = fields_find(fields, SPAN("Content-Type"));
    return f && span_starts_nocase(f->value, SPAN("text/event-stream"));
}

static bool is_private_response(const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct span rest = fields->at[i].value, directive, ignored;
        if (!span_is_nocase(fields->at[i].name, SPAN("Cache-Control")))
            continue;
        while (span_next_element(&rest, &directive))
            if (argument_of(directive, SPAN("private"), &ignored))
                return true;
    }
    return false;
}

/* Each name that a response varies by is looked up in every request for its target. */
static bool varies_too_much(const struct fields *fields)
{
    size_t names = 0;
    for (size_t i = 0; i < fields->count && names <= VARY_MAX; i++) {
        struct span rest = fields->at[i].value, name;
        if (!span_is_nocase(fields->at[i].name, SPAN("Vary")))
            continue;
        while (names <= VARY_MAX && span_next_element(&rest, &name))
            names += span_is(name, SPAN("*")) ? VARY_MAX + 1 : 1;
    }
    return names > VARY_MAX;
}

bool cache_policy_permits(const struct response *r)
{
    return fields_find(&r->fields, SPAN("Set-Cookie")) == NULL && !varies_too_much(&r->fields) &&
           !is_private_response(&r->fields) && !is_event_stream(&r->fields);
}

bool cache_policy_stores(const struct response *r)
{
    return (r->status == 200 || r->status == 203) && cache_policy_permits(r);
}

bool cache_policy_is_failure(unsigned status)
{
    return status >= 500 || status == 429 || status == 418;
}
