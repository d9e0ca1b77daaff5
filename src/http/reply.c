#include "http/reply.h"

#include <jansson.h>

#include "base/state.h"
#include "base/text.h"

#define REPLY_MAGIC 0x5245504cu /* "REPL" */

struct span reply_reason(unsigned status)
{
    static const struct {
        unsigned status;
        struct span reason;
    } rows[] = {
        {100, {"Continue", 8}},
        {103, {"Early Hints", 11}},
        {200, {"OK", 2}},
        {201, {"Created", 7}},
        {202, {"Accepted", 8}},
        {204, {"No Content", 10}},
        {206, {"Partial Content", 15}},
        {301, {"Moved Permanently", 17}},
        {302, {"Found", 5}},
        {303, {"See Other", 9}},
        {304, {"Not Modified", 12}},
        {307, {"Temporary Redirect", 18}},
        {308, {"Permanent Redirect", 18}},
        {400, {"Bad Request", 11}},
        {401, {"Unauthorized", 12}},
        {403, {"Forbidden", 9}},
        {404, {"Not Found", 9}},
        {405, {"Method Not Allowed", 18}},
        {408, {"Request Timeout", 15}},
        {409, {"Conflict", 8}},
        {410, {"Gone", 4}},
        {412, {"Precondition Failed", 19}},
        {413, {"Content Too Large", 17}},
        {414, {"URI Too Long", 12}},
        {415, {"Unsupported Media Type", 22}},
        {421, {"Misdirected Request", 19}},
        {422, {"Unprocessable Content", 21}},
        {429, {"Too Many Requests", 17}},
        {431, {"Request Header Fields Too Large", 31}},
        {500, {"Internal Server Error", 21}},
        {501, {"Not Implemented", 15}},
        {502, {"Bad Gateway", 11}},
        {503, {"Service Unavailable", 19}},
        {504, {"Gateway Timeout", 15}},
        {505, {"HTTP Version Not Supported", 26}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].status == status)
            return rows[i].reason;
    return SPAN("");
}

/* A weight of zero means "not acceptable" (RFC 9110 12.4.2). */
static bool is_zero_weight(struct span parameter)
{
    if (!span_starts_nocase(parameter, SPAN("q=0")))
        return false;
    for (size_t i = 3; i < parameter.len; i++)
        if (parameter.at[i] != '.' && parameter.at[i] != '0')
            return false;
    return true;
}

static bool range_is_json(struct span range)
{
    size_t semicolon = span_find(range, ';');
    if (!span_is_nocase(span_trim(span_first(range, semicolon)), SPAN("application/json")))
        return false;
    for (struct span rest = span_from(range, semicolon + 1); rest.len;) {
        semicolon = span_find(rest, ';');
        if (is_zero_weight(span_trim(span_first(rest, semicolon))))
            return false;
        rest = span_from(rest, semicolon + 1);
    }
    return true;
}

/* JSON is sent only to clients that name it: ccxt sends no Accept, or a wildcard, and takes a
 * JSON body for the exchange's own response. */
static bool wants_json(const struct request *r)
{
    for (size_t i = 0; r && i < r->fields.count; i++) {
        const struct field *f = &r->fields.at[i];
        struct span rest = f->value, range;
        if (!span_is_nocase(f->name, SPAN("Accept")))
            continue;
        while (span_next_element(&rest, &range))
            if (range_is_json(range))
                return true;
    }
    return false;
}

/* Printable ASCII only, which fits a line of text, a structured field and JSON. */
static const char *plain(struct arena *arena, const char *words)
{
    char *copy = arena_printf(arena, "%s", words);
    for (char *p = copy; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return copy;
}

static struct span json_body(struct arena *arena, const struct verdict *v, const char *upstream)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "error", failure_name(v->error), "detail",
                          plain(arena, v->detail), "upstream", upstream ? upstream : "", "sent",
                          sent_name(v->sent));
    CHECK(o != NULL);
    char *words = json_dumps(o, JSON_COMPACT);
    CHECK(words != NULL);
    struct span body = span_of(arena_printf(arena, "%s\n", words));
    free(words);
    json_decref(o);
    return body;
}

static struct span text_body(struct arena *arena, const struct verdict *v, const char *upstream)
{
    return span_of(arena_printf(arena, "trunkline: %s; upstream=%s; sent=%s\n%s\n",
                                failure_name(v->error), upstream ? upstream : "-",
                                sent_name(v->sent), plain(arena, v->detail)));
}

/* A string as RFC 8941 3.3.3 defines it, with its quotes. */
static const char *quoted(struct arena *arena, const char *words)
{
    size_t len = strlen(words);
    char *to = arena_alloc(arena, 2 * len + 3), *p = to;
    *p++ = '"';
    for (const char *from = plain(arena, words); *from; from++) {
        if (*from == '"' || *from == '\\')
            *p++ = '\\';
        *p++ = *from;
    }
    *p = '"';
    return to;
}

static struct span proxy_status(struct arena *arena, const struct verdict *v, const char *next_hop)
{
    const char *hop = next_hop ? arena_printf(arena, "; next-hop=%s", quoted(arena, next_hop)) : "";
    return span_of(arena_printf(arena, "trunkline; error=%s%s; details=\"sent=%s\"",
                                failure_name(v->error), hop, sent_name(v->sent)));
}

static void add_fields(struct arena *arena, struct fields *to, const struct verdict *v, bool json,
                       const char *next_hop)
{
    fields_add(to, arena, SPAN("Content-Type"),
               json ? SPAN("application/json") : SPAN("text/plain; charset=utf-8"));
    fields_add(to, arena, SPAN("Proxy-Status"), proxy_status(arena, v, next_hop));
    fields_add(to, arena, SPAN("Trunkline-Sent"), span_of(sent_name(v->sent)));
    if (v->retry_after)
        fields_add(to, arena, SPAN("Retry-After"),
                   span_of(arena_printf(arena, "%u", v->retry_after)));
    fields_add(to, arena, SPAN("Cache-Control"), SPAN("no-store"));
    fields_add(to, arena, SPAN("X-Content-Type-Options"), SPAN("nosniff"));
}

struct response *reply_error(struct arena *arena, const struct request *request,
                             const struct verdict *v, const char *upstream, const char *next_hop,
                             struct span *body)
{
    struct response *r = arena_alloc(arena, sizeof *r);
    const char *name = upstream ? plain(arena, upstream) : NULL;
    bool json = wants_json(request), is_head = request && request->is_head;
    *body = json ? json_body(arena, v, name) : text_body(arena, v, name);
    r->status = (unsigned)verdict_status(v);
    r->reason = reply_reason(r->status);
    r->minor = 1;
    r->framing = is_head ? FRAMING_NONE : FRAMING_LENGTH;
    r->has_length = true;
    r->length = body->len;
    r->keeps_alive = true;
    add_fields(arena, &r->fields, v, json, next_hop);
    if (is_head)
        *body = SPAN("");
    return r;
}

/* WAITING: its response is not known. HEAD, BODY and END: the event that is next; after the
 * last it frees itself. REFUSED: it was refused while it waited, and is to fail. CANCELLED:
 * it is to be freed. */
#define REPLY_STATES(S)                                                                            \
    S(REPLY_WAITING, "waiting", TO(REPLY_HEAD) | TO(REPLY_REFUSED) | TO(REPLY_CANCELLED))          \
    S(REPLY_HEAD, "head", TO(REPLY_BODY) | TO(REPLY_CANCELLED))                                    \
    S(REPLY_BODY, "body", TO(REPLY_END) | TO(REPLY_CANCELLED))                                     \
    S(REPLY_END, "end", TO(REPLY_CANCELLED))                                                       \
    S(REPLY_REFUSED, "refused", TO(REPLY_CANCELLED))                                               \
    S(REPLY_CANCELLED, "cancelled", 0)
STATE_TYPE(reply, REPLY_STATES)

struct reply {
    struct exchange exchange;
    uint32_t magic;
    enum reply_state state;
    struct loop *loop;
    struct task task;
    const struct response *response;
    struct span body;
    void (*gone)(void *context);
    void *context;
    struct verdict refusal;
    bool paused;
};

static struct reply *reply_of(struct exchange *x)
{
    struct reply *r = container_of(x, struct reply, exchange);
    MAGIC_CHECK(r, REPLY_MAGIC);
    return r;
}

static void enter(struct reply *r, enum reply_state to)
{
    STATE_ENTER(reply, &r->state, to, "http", 0);
}

static void reply_free(struct reply *r)
{
    task_forget(&r->task);
    r->magic = 0;
    free(r);
}

static void tell_head(struct reply *r)
{
    enter(r, REPLY_BODY);
    r->exchange.events->on_head(r->exchange.owner, r->response);
}

static void tell_refusal(struct reply *r)
{
    r->exchange.events->on_failed(r->exchange.owner, &r->refusal);
    reply_free(r);
}

static void tell_body(struct reply *r)
{
    enter(r, REPLY_END);
    if (r->body.len)
        r->exchange.events->on_body(r->exchange.owner, r->body.at, r->body.len);
}

static void tell_end(struct reply *r)
{
    static const struct fields none;
    r->exchange.events->on_end(r->exchange.owner, &none);
    reply_free(r);
}

/* Each event may pause or cancel the exchange. */
static void reply_run(struct task *t)
{
    struct reply *r = container_of(t, struct reply, task);
    MAGIC_CHECK(r, REPLY_MAGIC);
    if (r->state == REPLY_CANCELLED) {
        reply_free(r);
        return;
    }
    if (r->state == REPLY_REFUSED) {
        tell_refusal(r);
        return;
    }
    if (r->state == REPLY_HEAD)
        tell_head(r);
    if (r->state == REPLY_BODY && !r->paused)
        tell_body(r);
    if (r->state == REPLY_END)
        tell_end(r);
}

static bool swallow(struct exchange *x, const char *data, size_t len)
{
    (void)data, (void)len;
    (void)reply_of(x);
    return true;
}

static void swallow_end(struct exchange *x, const struct fields *trailers)
{
    (void)trailers;
    (void)reply_of(x);
}

static void reply_pause(struct exchange *x)
{
    reply_of(x)->paused = true;
}

static void reply_resume(struct exchange *x)
{
    struct reply *r = reply_of(x);
    if (!r->paused)
        return;
    r->paused = false;
    if (r->state != REPLY_WAITING)
        loop_defer(r->loop, &r->task);
}

/* A response that is known is sent whatever happens to the request. */
static void reply_refuse(struct exchange *x, const struct verdict *why)
{
    struct reply *r = reply_of(x);
    if (r->state != REPLY_WAITING)
        return;
    r->gone(r->context);
    r->refusal = *why;
    enter(r, REPLY_REFUSED);
    loop_defer(r->loop, &r->task);
}

static void reply_cancel(struct exchange *x)
{
    struct reply *r = reply_of(x);
    if (r->state == REPLY_WAITING)
        r->gone(r->context);
    enter(r, REPLY_CANCELLED);
    loop_defer(r->loop, &r->task);
}

static enum sent reply_sent(const struct exchange *x)
{
    (void)x;
    return SENT_NO;
}

struct exchange *reply_open_later(struct loop *loop, void (*gone)(void *context), void *context,
                                  const struct exchange_events *events, void *owner)
{
    static const struct exchange_ops ops = {.body = swallow,
                                            .finish = swallow_end,
                                            .pause = reply_pause,
                                            .resume = reply_resume,
                                            .cancel = reply_cancel,
                                            .sent = reply_sent,
                                            .refuse = reply_refuse};
    struct reply *r = NEW(struct reply);
    MAGIC_INIT(r, REPLY_MAGIC);
    r->exchange = (struct exchange){.ops = &ops, .events = events, .owner = owner};
    r->loop = loop;
    r->gone = gone;
    r->context = context;
    task_init(&r->task, reply_run);
    return &r->exchange;
}

void reply_answer(struct exchange *x, const struct response *response, struct span body)
{
    struct reply *r = reply_of(x);
    r->response = response;
    r->body = body;
    enter(r, REPLY_HEAD);
    loop_defer(r->loop, &r->task);
}

struct exchange *reply_open(struct loop *loop, const struct response *response, struct span body,
                            const struct exchange_events *events, void *owner)
{
    struct exchange *x = reply_open_later(loop, NULL, NULL, events, owner);
    reply_answer(x, response, body);
    return x;
}
