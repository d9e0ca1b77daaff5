#include "base/log.h"
#include "front/client_internal.h"
#include "http/framing.h"

/* Requests out of bytes: llhttp without lenient flags, and what it lets pass
 * but HTTP/1.x does not allow. It refuses obs-fold, bare LF, and a
 * Transfer-Encoding beside a Content-Length by itself; versions, RTSP and the
 * limits are refused here, the rest by framing_of_request(). The parser is
 * paused at each request's end and begun anew for the next, as llhttp's own
 * idea of keep-alive is not ours. */

static struct client *client_of(llhttp_t *p)
{
    return p->data;
}

static struct call *call_of(llhttp_t *p)
{
    return client_of(p)->call;
}

static int refuse(llhttp_t *p, int status, const char *words)
{
    struct call *call = call_of(p);
    call->refusal = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "%s", words);
    call->refusal.status = status;
    call->refused = true;
    return -1;
}

/* --------------------------------------------------------------------- head */

static int add_or_refuse(llhttp_t *p, struct head *head, const char *at, size_t len)
{
    if (head_add(head, at, len))
        return 0;
    return refuse(p, 431, "the header section is longer than max_header_size");
}

static int on_method(llhttp_t *p, const char *at, size_t len)
{
    return add_or_refuse(p, &call_of(p)->head, at, len);
}

/* The first piece is the method, so the target is what came after its cut. */
static int on_url(llhttp_t *p, const char *at, size_t len)
{
    struct head *head = &call_of(p)->head;
    size_t target = head->len - head_piece(head, 0).len;
    size_t most = client_of(p)->house->limits.max_uri_size;
    if (target > most || len > most - target || !head_add(head, at, len))
        return refuse(p, 414, "the target is longer than max_uri_size");
    return 0;
}

static int cut_head(llhttp_t *p)
{
    head_cut(&call_of(p)->head);
    return 0;
}

/* llhttp knows HTTP/0.9 by the missing version. */
static int on_url_complete(llhttp_t *p)
{
    cut_head(p);
    if (p->http_major == 0 && p->http_minor == 9)
        return refuse(p, 505, "HTTP/0.9");
    return 0;
}

/* llhttp takes RTSP/ and ICE/ for HTTP/ and does not tell. The third byte
 * before the version is the T of HTTP, or it is something else. */
static int on_version(llhttp_t *p, const char *at, size_t len)
{
    struct call *call = call_of(p);
    (void)len;
    if (call->version_seen)
        return 0;
    size_t ahead = (size_t)(at - call->input);
    char third = ahead >= 3 ? at[-3] : call->before[ahead];
    call->version_seen = true;
    if (third != 'T')
        return refuse(p, 505, "a protocol other than HTTP");
    return 0;
}

static int on_version_complete(llhttp_t *p)
{
    if (p->http_major != 1)
        return refuse(p, 505, "an HTTP version other than 1.0 and 1.1");
    call_of(p)->version_complete = true;
    return 0;
}

static struct head *fields_under_way(struct call *call)
{
    return call->head_complete ? &call->trailers : &call->head;
}

static int on_field(llhttp_t *p, const char *at, size_t len)
{
    return add_or_refuse(p, fields_under_way(call_of(p)), at, len);
}

static int cut_field(llhttp_t *p)
{
    head_cut(fields_under_way(call_of(p)));
    return 0;
}

static void fill_request(struct call *call)
{
    struct request *r = &call->request;
    r->method = head_piece(&call->head, 0);
    r->target = head_piece(&call->head, 1);
    r->minor = call->parser.http_minor;
    r->fields = head_fields(&call->head, 2);
    r->is_head = span_is(r->method, SPAN("HEAD")); /* if framing refuses it, too */
}

/* Counted from the request on, since its answer already is the promise. */
static bool take_place(struct client *c)
{
    struct clients *house = c->house;
    struct call *call = c->call;
    if (!house->handler->intercepts(house->handler->self, &call->request, &c->ingress))
        return true;
    if (house->securing.count < SECURING_MAX) {
        list_push_back(&house->securing, &c->place);
        return true;
    }
    call->refusal = verdict_make(FAILURE_CONNECTION_LIMIT_REACHED, SENT_NO,
                                 "%zu clients are in their TLS handshake", house->securing.count);
    call->refused = true;
    return false;
}

/* Neither CONNECT nor Upgrade changes how llhttp parses on: it is paused at the
 * request's end, and what follows waits for the answer. */
static int on_headers_complete(llhttp_t *p)
{
    struct client *c = client_of(p);
    struct call *call = c->call;
    const struct handler *handler = c->house->handler;
    p->upgrade = 0;
    fill_request(call);
    call->head_complete = true;
    if (!framing_of_request(&call->request, &call->refusal)) {
        call->refused = true;
        return -1;
    }
    head_start(&call->trailers, call->arena, c->house->limits.max_header_size);
    call->last = !call->request.keeps_alive;
    call->may_switch = p->method == HTTP_CONNECT || call->request.upgrades;
    client_become(c, CLIENT_EXCHANGE);
    if (p->method == HTTP_CONNECT && !take_place(c))
        return -1;
    call->exchange =
        handler->open(handler->self, &call->request, &c->ingress, &client_answer_events, c);
    CHECK(call->exchange != NULL);
    if (c->house->ending.error != FAILURE_NONE)
        client_refuse(c, &c->house->ending);
    return 0;
}

/* --------------------------------------------------------------------- body */

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct call *call = call_of(p);
    if (call->exchange == NULL || len == 0)
        return 0;
    call->held = !exchange_body(call->exchange, at, len);
    return call->held ? HPE_PAUSED : 0;
}

static int on_message_complete(llhttp_t *p)
{
    struct call *call = call_of(p);
    struct fields trailers = head_fields(&call->trailers, 0);
    call->complete = true;
    if (call->exchange)
        exchange_finish(call->exchange, &trailers);
    return HPE_PAUSED;
}

/* ------------------------------------------------------------------ refusals */

/* RFC 9110 5.6.2 */
static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* The status must not depend on how the bytes were cut, so nothing beyond the
 * byte llhttp stopped at is looked at: a token that is no method it knows is
 * 501 (RFC 9110 9.1), anything else 400. */
static int status_of(const struct call *call, llhttp_errno_t error, const char *end)
{
    const char *at = llhttp_get_error_pos(&call->parser);
    switch (error) {
    case HPE_INVALID_METHOD: return at && at < end && is_token_char(*at) ? 501 : 400;
    case HPE_INVALID_CONSTANT: /* a method of RTSP or ICE */
        return call->parser.method >= HTTP_SOURCE && call->parser.method != HTTP_QUERY ? 501 : 400;
    case HPE_INVALID_VERSION:
        return call->version_complete ? 400 : 505; /* what follows the version, or it */
    case HPE_PAUSED_H2_UPGRADE: return 505;
    default: return 400;
    }
}

static void refuse_malformed(struct client *c, llhttp_errno_t error, const char *end)
{
    struct call *call = c->call;
    if (!call->refused) {
        const char *reason = llhttp_get_error_reason(&call->parser);
        int status = status_of(call, error, end);
        refuse(&call->parser, status, reason && *reason ? reason : "malformed request");
    }
    client_refuse(c, &call->refusal);
}

/* ------------------------------------------------------------------- feeding */

static const llhttp_settings_t *settings(void)
{
    static llhttp_settings_t s;
    if (s.on_method)
        return &s;
    llhttp_settings_init(&s);
    s.on_url = on_url;
    s.on_url_complete = on_url_complete;
    s.on_method_complete = cut_head;
    s.on_version = on_version;
    s.on_version_complete = on_version_complete;
    s.on_header_field = on_field;
    s.on_header_field_complete = cut_field;
    s.on_header_value = on_field;
    s.on_header_value_complete = cut_field;
    s.on_headers_complete = on_headers_complete;
    s.on_body = on_body;
    s.on_message_complete = on_message_complete;
    s.on_method = on_method;
    return &s;
}

void client_call_new(struct client *c)
{
    struct call *call = c->call = NEW(struct call);
    call->arena = call->request.arena = arena_new();
    if (c->house->ids)
        request_ids_next(c->house->ids, &call->request.id);
    head_start(&call->head, call->arena, c->house->limits.max_header_size);
    llhttp_init(&call->parser, HTTP_REQUEST, settings());
    call->parser.data = c;
    client_become(c, CLIENT_HEAD);
}

void client_call_free(struct client *c)
{
    struct call *call = c->call;
    if (call == NULL)
        return;
    CHECK(call->exchange == NULL);
    c->call = NULL;
    text_free(&call->out);
    arena_free(call->arena);
    free(call);
}

/* The three bytes before the next input, for on_version(). */
static void remember_last(struct call *call, const char *data, size_t len)
{
    size_t n = len < 3 ? len : 3;
    memmove(call->before, call->before + n, 3 - n);
    memcpy(call->before + 3 - n, data + len - n, n);
}

static size_t parse(struct client *c, const char *data, size_t len)
{
    struct call *call = c->call;
    if (llhttp_get_errno(&call->parser) == HPE_PAUSED)
        llhttp_resume(&call->parser);
    call->input = data;
    llhttp_errno_t error = llhttp_execute(&call->parser, data, len);
    if (error == HPE_PAUSED)
        return (size_t)(llhttp_get_error_pos(&call->parser) - data);
    if (error != HPE_OK)
        refuse_malformed(c, error, data + len);
    else if (!call->head_complete)
        remember_last(call, data, len);
    return len;
}

/* Its own error message seldom names the cause; so that it is told here. What it sent
 * is no request, and refused as such. */
static void tell_of_tls(const struct client *c)
{
    LOG(WARN, c->ingress.client,
        "a TLS ClientHello on a port of plain HTTP: the proxy's URL begins with http://, "
        "for https requests too (HTTPS_PROXY=http://...)");
}

/* Empty lines before a request are no request (RFC 9112 2.2). */
size_t client_parse(struct client *c, const char *data, size_t len)
{
    size_t skipped = 0;
    if (c->state == CLIENT_IDLE) {
        while (skipped < len && (data[skipped] == '\r' || data[skipped] == '\n'))
            skipped++;
        if (skipped == len)
            return len;
        if ((unsigned char)data[skipped] == TLS_HANDSHAKE && !c->ingress.tunnel)
            tell_of_tls(c);
        client_call_new(c);
    }
    return skipped + parse(c, data + skipped, len - skipped);
}
