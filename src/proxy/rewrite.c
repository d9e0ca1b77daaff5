#include "proxy/rewrite.h"

#include "base/text.h"
#include "config/quantity.h"
#include "http/hop_by_hop.h"
#include "http/member_list.h"
#include "proxy/credentials.h"
#include "proxy/guard.h"
#include "proxy/location.h"
#include "proxy/redact.h"

static bool is(const struct field *f, struct span name)
{
    return span_is_nocase(f->name, name);
}

static bool is_ours(const struct field *f)
{
    return span_starts_nocase(f->name, SPAN("Trunkline-"));
}

static void add_via(struct fields *to, struct arena *a, unsigned minor)
{
    fields_add(to, a, SPAN("Via"), minor ? SPAN("1.1 trunkline") : SPAN("1.0 trunkline"));
}

static bool counts_hops(const struct request *r)
{
    return span_is(r->method, SPAN("TRACE")) || span_is(r->method, SPAN("OPTIONS"));
}

static bool hops_left(const struct field *f, unsigned *hops)
{
    unsigned n = 0;
    for (size_t i = 0; i < f->value.len; i++) {
        if (f->value.at[i] < '0' || f->value.at[i] > '9' || n > 100000)
            return false;
        n = n * 10 + (unsigned)(f->value.at[i] - '0');
    }
    *hops = n;
    return f->value.len > 0;
}

bool rewrite_timeout(const struct request *r, uint64_t *ms, struct verdict *why)
{
    const struct field *f = fields_find(&r->fields, SPAN("Trunkline-Timeout"));
    char words[150];
    *ms = 0;
    if (f == NULL || quantity_read(&directives[ROW_total_timeout],
                                   arena_span(r->arena, f->value).at, ms, words, sizeof words))
        return true;
    *why = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "Trunkline-Timeout: %s", words);
    return false;
}

bool rewrite_ends_here(const struct request *r)
{
    const struct field *f = fields_find(&r->fields, SPAN("Max-Forwards"));
    unsigned hops;
    return f && counts_hops(r) && hops_left(f, &hops) && hops == 0;
}

static struct span one_hop_less(const struct request *r, const struct field *f)
{
    unsigned hops;
    if (!counts_hops(r) || !hops_left(f, &hops))
        return f->value;
    return span_of(arena_printf(r->arena, "%u", hops - 1));
}

static bool goes_on(const struct rewrite *v, const struct hop_by_hop *hop_by_hop,
                    const struct field *f)
{
    if (is(f, SPAN("Host")) || is_ours(f) || hop_by_hop_is(hop_by_hop, f))
        return false;
    if (is(f, SPAN("Expect"))) /* the fetch answers it */
        return false;
    return !is(f, SPAN("Origin")) || !guard_drops_origin(v->config, v->ingress, f);
}

struct fields rewrite_request(const struct rewrite *v)
{
    const struct request *r = v->request;
    struct fields to = {0};
    struct hop_by_hop hop_by_hop;
    hop_by_hop_read(&hop_by_hop, &r->fields);
    for (size_t i = 0; i < r->fields.count; i++) {
        const struct field *f = &r->fields.at[i];
        if (!goes_on(v, &hop_by_hop, f))
            continue;
        fields_add(&to, r->arena, f->name,
                   is(f, SPAN("Max-Forwards")) ? one_hop_less(r, f) : f->value);
    }
    if (r->upgrades) {
        fields_add(&to, r->arena, SPAN("Connection"), SPAN("Upgrade"));
        fields_add(&to, r->arena, SPAN("Upgrade"), SPAN("websocket"));
    } else if (fields_list(&r->fields, SPAN("TE"), SPAN("trailers"))) {
        fields_add(&to, r->arena, SPAN("TE"), SPAN("trailers"));
        fields_add(&to, r->arena, SPAN("Connection"), SPAN("TE"));
    }
    if (v->settings->via)
        add_via(&to, r->arena, r->minor);
    return to;
}

/* A web page could read a response only if it had such a field: in origin form none passes. */
static bool hides_cors(const struct rewrite *v, const struct field *f)
{
    return v->route->form != FORM_ABSOLUTE_HTTP && v->route->form != FORM_ABSOLUTE_HTTPS &&
           span_starts_nocase(f->name, SPAN("Access-Control-Allow-"));
}

/* Forms in which a web page could have made the request: the response must not run as a
 * page of trunkline, whatever fields the request had (contract 11, "Who may call"). */
static bool is_origin_form(enum route_form form)
{
    return form == FORM_PREFIX || form == FORM_NAMED_PATH || form == FORM_NAMED_HOST ||
           form == FORM_OWN_PORT;
}

static void add_server_timing(struct fields *to, struct arena *a, const struct timing *t)
{
    char *value = arena_printf(a,
                               "hold;dur=%.3f, queue;dur=%.3f, dns;dur=%.3f, connect;dur=%.3f, "
                               "tls;dur=%.3f, ttfb;dur=%.3f",
                               (double)t->hold_us / 1e3, (double)t->queue_us / 1e3,
                               (double)t->dns_us / 1e3, (double)t->connect_us / 1e3,
                               (double)t->tls_us / 1e3, (double)t->ttfb_us / 1e3);
    fields_add(to, a, SPAN("Server-Timing"), span_of(value));
}

/* Keeps others from speaking in this proxy's name. False: the field is not passed on;
 * `value` is what is passed on of it. */
static bool disown(struct arena *a, const struct field *f, struct span *value)
{
    *value = f->value;
    if (!is(f, SPAN("Proxy-Status")) && !is(f, SPAN("Cache-Status")))
        return !is_ours(f);
    *value = member_list_without(a, f->value, SPAN("trunkline"));
    return value->len > 0;
}

static bool comes_back(const struct rewrite *v, const struct response *from,
                       const struct hop_by_hop *hop_by_hop, const struct field *f,
                       const struct cache_status *cached)
{
    if (from->status < 200 && is(f, SPAN("Trailer"))) /* an interim response has no body */
        return false;
    if (cached->result != CACHE_NONE && is(f, SPAN("Age")))
        return false;
    return !hop_by_hop_is(hop_by_hop, f) && !hides_cors(v, f);
}

struct response rewrite_response(const struct rewrite *v, const struct response *from,
                                 const struct timing *timing, const struct cache_status *cached)
{
    struct arena *a = v->request->arena;
    struct response to = *from;
    to.fields = (struct fields){0};
    struct hop_by_hop hop_by_hop;
    hop_by_hop_read(&hop_by_hop, &from->fields);
    bool moved = false;
    for (size_t i = 0; i < from->fields.count; i++) {
        const struct field *f = &from->fields.at[i];
        struct span value;
        if (!comes_back(v, from, &hop_by_hop, f, cached) || !disown(a, f, &value))
            continue;
        bool moves = is(f, SPAN("Location"));
        if (moves && moved) /* only one is allowed (RFC 9110 10.2.2), and each costs time */
            continue;
        moved |= moves;
        fields_add(&to.fields, a, f->name,
                   moves ? location_rewrite(a, v->config, v->route, v->is_private, value) : value);
    }
    if (v->settings->via)
        add_via(&to.fields, a, from->minor);
    if (from->status < 200)
        return to;
    cache_status_add(cached, &to.fields, a);
    if (v->settings->server_timing)
        add_server_timing(&to.fields, a, timing);
    if (is_origin_form(v->route->form))
        fields_add(&to.fields, a, SPAN("Content-Security-Policy"), SPAN("sandbox"));
    return to;
}

struct response rewrite_switch(struct arena *a, const struct response *from)
{
    struct response to = *from;
    to.fields = (struct fields){0};
    for (size_t i = 0; i < from->fields.count; i++) {
        struct span value;
        if (disown(a, &from->fields.at[i], &value))
            fields_add(&to.fields, a, from->fields.at[i].name, value);
    }
    return to;
}

static bool may_trail(const struct hop_by_hop *hop_by_hop, const struct field *f)
{
    static const char *const banned[] = {"Host",          "Authorization", "Set-Cookie", "Cookie",
                                         "Content-Type",  "Content-Range", "Trailer",    "Expect",
                                         "Cache-Control", "Max-Forwards",  "Location"};
    for (size_t i = 0; i < COUNT_OF(banned); i++)
        if (is(f, span_of(banned[i])))
            return false;
    return !is_ours(f) && !hop_by_hop_is(hop_by_hop, f);
}

struct fields rewrite_trailers(struct arena *a, const struct fields *from)
{
    struct fields to = {0};
    struct hop_by_hop hop_by_hop;
    if (from == NULL || from->count == 0)
        return to;
    hop_by_hop_read(&hop_by_hop, from);
    for (size_t i = 0; i < from->count; i++) {
        struct span value;
        if (may_trail(&hop_by_hop, &from->at[i]) && disown(a, &from->at[i], &value))
            fields_add(&to, a, from->at[i].name, value);
    }
    return to;
}

struct span rewrite_trace(const struct rewrite *v)
{
    const struct request *r = v->request;
    struct text out = {0};
    struct hop_by_hop hop_by_hop;
    hop_by_hop_read(&hop_by_hop, &r->fields);
    text_add(&out, r->method);
    text_add(&out, SPAN(" "));
    redact_target(&out, &v->settings->credential_params, r->target);
    text_printf(&out, " HTTP/1.%u\r\n", r->minor);
    for (size_t i = 0; i < r->fields.count; i++) {
        const struct field *f = &r->fields.at[i];
        if (credential_name(&v->settings->credential_headers, f->name) ||
            hop_by_hop_is(&hop_by_hop, f))
            continue;
        text_printf(&out, "%.*s: %.*s\r\n", SPAN_ARG(f->name), SPAN_ARG(f->value));
    }
    text_add(&out, SPAN("\r\n"));
    struct span body = arena_span(r->arena, text_span(&out));
    text_free(&out);
    return body;
}
