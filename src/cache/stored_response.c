#include "cache/stored_response.h"

#include "http/hop_by_hop.h"
#include "http/http_date.h"

#define AGE_MOST UINT64_C(0x7fffffff) /* seconds; RFC 9111 1.2.2 */

static uint64_t age_of(const struct fields *fields)
{
    const struct field *f = fields_find(fields, SPAN("Age"));
    uint64_t n = 0;
    for (size_t i = 0; f && i < f->value.len; i++) {
        if (f->value.at[i] < '0' || f->value.at[i] > '9')
            return 0;
        n = n * 10 + (uint64_t)(f->value.at[i] - '0');
        if (n > AGE_MOST)
            n = AGE_MOST;
    }
    return n * 1000;
}

/* A field that came in several lines is one list (RFC 9110 5.3). "=" before the first value tells a field
 * that is empty from one that is absent. */
static struct span value_of(struct arena *a, const struct fields *fields, struct span name)
{
    struct text all = {0};
    for (size_t i = 0; i < fields->count; i++) {
        if (!span_is_nocase(fields->at[i].name, name))
            continue;
        text_add(&all, all.len ? SPAN(", ") : SPAN("="));
        text_add(&all, fields->at[i].value);
    }
    struct span value = arena_span(a, text_span(&all));
    text_free(&all);
    return value;
}

static void vary_by(struct stored_response *s, const struct fields *asked, struct span name)
{
    if (fields_find(&s->varied, name) == NULL)
        fields_add(&s->varied, s->arena, arena_span(s->arena, name),
                   value_of(s->arena, asked, name));
}

static void note_varied(struct stored_response *s, const struct fields *asked)
{
    vary_by(s, asked, SPAN("Accept-Encoding"));
    for (size_t i = 0; i < s->head.fields.count; i++) {
        struct span rest = s->head.fields.at[i].value, name;
        if (span_is_nocase(s->head.fields.at[i].name, SPAN("Vary")))
            while (span_next_element(&rest, &name))
                vary_by(s, asked, name);
    }
}

struct stored_response *stored_response_new(const struct response *r, const struct fields *asked,
                                            uint64_t now, uint64_t delay_ms)
{
    struct arena *a = arena_new();
    struct stored_response *s = arena_alloc(a, sizeof *s);
    s->references = 1;
    s->arena = a;
    s->head = *r;
    s->head.reason = arena_span(a, r->reason);
    s->head.fields = (struct fields){0};
    struct hop_by_hop hop_by_hop;
    hop_by_hop_read(&hop_by_hop, &r->fields);
    for (size_t i = 0; i < r->fields.count; i++) {
        const struct field *f = &r->fields.at[i];
        if (!hop_by_hop_is(&hop_by_hop, f) && !span_is_nocase(f->name, SPAN("Age")) &&
            !span_is_nocase(f->name, SPAN("Set-Cookie")))
            fields_add(&s->head.fields, a, arena_span(a, f->name), arena_span(a, f->value));
    }
    note_varied(s, asked);
    s->came_at = now;
    s->origin_age_ms = age_of(&r->fields);
    s->delay_ms = delay_ms;
    return s;
}

struct stored_response *stored_response_ref(struct stored_response *s)
{
    s->references++;
    return s;
}

void stored_response_unref(struct stored_response *s)
{
    if (s == NULL || --s->references)
        return;
    text_free(&s->body);
    arena_free(s->arena);
}

/* Would value_of() make this value? */
static bool has_value(const struct fields *asked, struct span name, struct span value)
{
    struct span separator = SPAN("=");
    for (size_t i = 0; i < asked->count; i++) {
        struct span line = asked->at[i].value;
        if (!span_is_nocase(asked->at[i].name, name))
            continue;
        if (!span_starts(value, separator) || !span_starts(span_from(value, separator.len), line))
            return false;
        value = span_from(value, separator.len + line.len);
        separator = SPAN(", ");
    }
    return value.len == 0;
}

bool stored_response_fits(const struct stored_response *s, const struct fields *asked)
{
    for (size_t i = 0; i < s->varied.count; i++)
        if (!has_value(asked, s->varied.at[i].name, s->varied.at[i].value))
            return false;
    return true;
}

uint64_t stored_response_age_ms(const struct stored_response *s, uint64_t now)
{
    return s->origin_age_ms + (now > s->came_at ? now - s->came_at : 0);
}

uint64_t stored_response_told_age_ms(const struct stored_response *s, uint64_t now)
{
    return stored_response_age_ms(s, now) + s->delay_ms;
}

size_t stored_response_length(const struct stored_response *s)
{
    return s->dropped + s->body.len;
}

struct span stored_response_rest(const struct stored_response *s, size_t at)
{
    CHECK(at >= s->dropped);
    return span_from(text_span(&s->body), at - s->dropped);
}

bool stored_response_has_length(const struct stored_response *s)
{
    return s->whole || s->head.framing == FRAMING_LENGTH || s->head.framing == FRAMING_NONE;
}

void stored_response_drop(struct stored_response *s, size_t at)
{
    CHECK(at >= s->dropped && at <= stored_response_length(s));
    if (at < stored_response_length(s))
        text_drop(&s->body, at - s->dropped);
    else
        text_free(&s->body);
    s->dropped = at;
}

void stored_response_skip(struct stored_response *s, size_t len)
{
    CHECK(s->body.len == 0);
    s->dropped += len;
}

size_t stored_response_size(const struct stored_response *s)
{
    return arena_size(s->arena) + s->body.room;
}

/* Weak comparison (RFC 9110 8.8.3.2). */
static struct span opaque_tag(struct span tag)
{
    return span_starts(tag, SPAN("W/")) ? span_from(tag, 2) : tag;
}

static bool lists_tag(struct span list, struct span tag)
{
    struct span element;
    while (span_next_element(&list, &element))
        if (span_is(element, SPAN("*")) || span_is(opaque_tag(element), opaque_tag(tag)))
            return true;
    return false;
}

static bool is_unmodified(const struct field *since, const struct field *modified, int64_t now)
{
    int64_t then, last;
    return http_date_read(since->value, now, &then) &&
           http_date_read(modified->value, now, &last) && last <= then;
}

/* Does the client have this very response already? */
static bool is_known(const struct stored_response *s, const struct fields *asked, int64_t wall_s)
{
    const struct field *tag = fields_find(&s->head.fields, SPAN("ETag"));
    const struct field *modified = fields_find(&s->head.fields, SPAN("Last-Modified"));
    const struct field *since = fields_find(asked, SPAN("If-Modified-Since"));
    if (fields_find(asked, SPAN("If-None-Match")) == NULL)
        return since && modified && is_unmodified(since, modified, wall_s);
    for (size_t i = 0; tag && i < asked->count; i++)
        if (span_is_nocase(asked->at[i].name, SPAN("If-None-Match")) &&
            lists_tag(asked->at[i].value, tag->value))
            return true;
    return false;
}

/* RFC 9110 15.4.5: fields that describe the content are left out. */
static struct response not_modified(const struct stored_response *s, struct arena *a)
{
    struct response r = {.status = 304, .reason = SPAN("Not Modified"), .minor = s->head.minor};
    for (size_t i = 0; i < s->head.fields.count; i++) {
        const struct field *f = &s->head.fields.at[i];
        if (!span_starts_nocase(f->name, SPAN("Content-")) ||
            span_is_nocase(f->name, SPAN("Content-Location")))
            fields_add(&r.fields, a, f->name, f->value);
    }
    return r;
}

struct response stored_response_head(const struct stored_response *s,
                                     const struct cache_policy *asked, int64_t wall_s,
                                     struct arena *a)
{
    struct response r = s->head;
    if (asked->is_conditional && is_known(s, asked->fields, wall_s))
        return not_modified(s, a);
    if (r.framing == FRAMING_NONE || (!s->whole && r.framing != FRAMING_LENGTH))
        return r;
    r.framing = asked->is_head ? FRAMING_NONE : FRAMING_LENGTH;
    r.has_length = true;
    if (s->whole)
        r.length = stored_response_length(s);
    return r;
}
