#include "protocol/h2_fields.h"

#include "http/hop_by_hop.h"

#define PSEUDO_FIELDS 4

struct out {
    nghttp2_nv *at;
    size_t count, room;
};

/* nghttp2 copies name and value, and converts the name to lower case. */
static void add(struct out *out, struct span name, struct span value)
{
    CHECK(out->count < out->room);
    out->at[out->count++] = (nghttp2_nv){.name = (uint8_t *)name.at,
                                         .namelen = name.len,
                                         .value = (uint8_t *)value.at,
                                         .valuelen = value.len};
}

static bool is_cookie(const struct field *f)
{
    return span_is_nocase(f->name, SPAN("Cookie"));
}

/* Where the first crumb ends: at "; ", or at the end of the value. */
static size_t crumb_end(struct span s)
{
    for (size_t i = 0; i + 1 < s.len; i++)
        if (s.at[i] == ';' && s.at[i + 1] == ' ')
            return i;
    return s.len;
}

/* Joined by "; ", the crumbs are the original field again (RFC 9113 8.2.3). */
static void add_crumbs(struct out *out, struct span name, struct span value)
{
    size_t end;
    while ((end = crumb_end(value)) < value.len) {
        add(out, name, span_first(value, end));
        value = span_from(value, end + 2);
    }
    add(out, name, value);
}

static size_t count_crumbs(struct span value)
{
    size_t n = 1, end;
    while ((end = crumb_end(value)) < value.len) {
        value = span_from(value, end + 2);
        n++;
    }
    return n;
}

/* Of the connection-specific fields only "te: trailers" is sent (RFC 9113 8.2.2). */
static bool goes_on(const struct hop_by_hop *hop_by_hop, const struct field *f)
{
    if (span_is_nocase(f->name, SPAN("TE")))
        return span_is_nocase(f->value, SPAN("trailers"));
    return !hop_by_hop_is(hop_by_hop, f) && !span_is_nocase(f->name, SPAN("Host"));
}

static struct out prepare(struct arena *a, const struct fields *fields, size_t more)
{
    struct out out = {.room = fields->count + more};
    for (size_t i = 0; i < fields->count; i++)
        if (is_cookie(&fields->at[i]))
            out.room += count_crumbs(fields->at[i].value);
    out.at = arena_alloc(a, (out.room + 1) * sizeof *out.at);
    return out;
}

static void add_fields(struct out *out, const struct fields *fields)
{
    struct hop_by_hop hop_by_hop;
    hop_by_hop_read(&hop_by_hop, fields);
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *f = &fields->at[i];
        if (!goes_on(&hop_by_hop, f))
            continue;
        if (is_cookie(f))
            add_crumbs(out, f->name, f->value);
        else
            add(out, f->name, f->value);
    }
}

nghttp2_nv *h2_request_fields(struct arena *a, const struct conn_request *r, bool secure,
                              size_t *count)
{
    struct out out = prepare(a, &r->fields, PSEUDO_FIELDS + 1);
    add(&out, SPAN(":method"), r->method);
    add(&out, SPAN(":scheme"), secure ? SPAN("https") : SPAN("http"));
    add(&out, SPAN(":authority"), r->authority);
    add(&out, SPAN(":path"), r->target);
    add_fields(&out, &r->fields);
    if (r->framing == FRAMING_LENGTH)
        add(&out, SPAN("content-length"), arena_number(a, r->length));
    *count = out.count;
    return out.at;
}

nghttp2_nv *h2_trailer_fields(struct arena *a, const struct fields *fields, size_t *count)
{
    struct out out = prepare(a, fields, 0);
    add_fields(&out, fields);
    *count = out.count;
    return out.at;
}
