#include "front/request_parser.h"

#include <llhttp.h>
#include <string.h>

#include "base/spares.h"
#include "http/framing.h"
#include "http/head.h"

/* llhttp refuses obs-fold, bare LF, and a Transfer-Encoding beside a Content-Length by
 * itself; versions, RTSP and the limits are refused here, the rest by
 * framing_of_request(). llhttp is paused at the request's end, and each request gets a
 * new one, because its own idea of keep-alive differs from ours. */

#define MAGIC 0x52515052u /* "RQPR" */

/* How far the version of the start line is known. */
enum version { VERSION_NONE, VERSION_BEGUN, VERSION_KNOWN };

struct request_parser {
    unsigned magic;
    enum request_parser_state state;
    enum version version;
    llhttp_t llhttp;
    struct head head, trailers;
    struct request request;
    struct verdict refusal; /* found by a callback; FAILURE_NONE: none */
    const char *input;      /* what is being parsed, and */
    char before[3];         /* the last bytes before it */
    struct request_limits limits;
    const char *object;
    const struct request_parser_events *events;
    void *owner;
};

static struct spares spares;

static void request_parser_enter(struct request_parser *p, enum request_parser_state to)
{
    STATE_ENTER_FOR(request_parser, &p->state, to, p->object, 0, &p->request.id);
}

static struct request_parser *self(llhttp_t *llhttp)
{
    return llhttp->data;
}

/* Ends the parsing from inside a callback; on_refused follows once llhttp has returned. */
static int refuse(struct request_parser *p, int status, const char *words)
{
    p->refusal = verdict_make(FAILURE_HTTP_REQUEST_ERROR, SENT_NO, "%s", words);
    p->refusal.status = status;
    return -1;
}

/* --------------------------------------------------------------------- head */

static int add_or_refuse(struct request_parser *p, struct head *head, const char *at, size_t len)
{
    if (head_add(head, at, len))
        return 0;
    return refuse(p, 431, "the header section is longer than max_header_size");
}

static int on_method(llhttp_t *llhttp, const char *at, size_t len)
{
    return add_or_refuse(self(llhttp), &self(llhttp)->head, at, len);
}

/* The first piece is the method, so the target is what came after its cut. */
static int on_url(llhttp_t *llhttp, const char *at, size_t len)
{
    struct request_parser *p = self(llhttp);
    struct head *head = &p->head;
    size_t target = head->len - head_piece(head, 0).len;
    size_t most = p->limits.max_uri_size;
    if (target > most || len > most - target || !head_add(head, at, len))
        return refuse(p, 414, "the target is longer than max_uri_size");
    return 0;
}

static int cut_head(llhttp_t *llhttp)
{
    head_cut(&self(llhttp)->head);
    return 0;
}

/* llhttp reports a missing version as HTTP/0.9. */
static int on_url_complete(llhttp_t *llhttp)
{
    cut_head(llhttp);
    if (llhttp->http_major == 0 && llhttp->http_minor == 9)
        return refuse(self(llhttp), 505, "HTTP/0.9");
    return 0;
}

/* llhttp accepts RTSP/ and ICE/ in place of HTTP/ and does not say so. The third byte
 * before the version is the T of HTTP, or the protocol is another one. */
static int on_version(llhttp_t *llhttp, const char *at, size_t len)
{
    struct request_parser *p = self(llhttp);
    (void)len;
    if (p->version != VERSION_NONE)
        return 0;
    size_t ahead = (size_t)(at - p->input);
    char third = ahead >= 3 ? at[-3] : p->before[ahead];
    p->version = VERSION_BEGUN;
    if (third != 'T')
        return refuse(p, 505, "a protocol other than HTTP");
    return 0;
}

static int on_version_complete(llhttp_t *llhttp)
{
    if (llhttp->http_major != 1)
        return refuse(self(llhttp), 505, "an HTTP version other than 1.0 and 1.1");
    self(llhttp)->version = VERSION_KNOWN;
    return 0;
}

static struct head *fields_under_way(struct request_parser *p)
{
    return p->state == REQUEST_HEAD ? &p->head : &p->trailers;
}

static int on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    return add_or_refuse(self(llhttp), fields_under_way(self(llhttp)), at, len);
}

static int cut_field(llhttp_t *llhttp)
{
    head_cut(fields_under_way(self(llhttp)));
    return 0;
}

static void fill_request(struct request_parser *p)
{
    struct request *r = &p->request;
    r->method = head_piece(&p->head, 0);
    r->target = head_piece(&p->head, 1);
    r->minor = p->llhttp.http_minor;
    r->fields = head_fields(&p->head, 2);
    r->is_head = span_is(r->method, SPAN("HEAD")); /* if framing refuses it, too */
}

/* Neither CONNECT nor Upgrade changes how llhttp parses on: it is paused at the
 * request's end, and what follows waits for the answer. */
static int on_headers_complete(llhttp_t *llhttp)
{
    struct request_parser *p = self(llhttp);
    llhttp->upgrade = 0;
    fill_request(p);
    head_start(&p->trailers, p->request.arena, p->limits.max_header_size);
    request_parser_enter(p, REQUEST_BODY);
    if (!framing_of_request(&p->request, &p->refusal) ||
        !p->events->on_head(p->owner, &p->request, &p->refusal))
        return -1;
    return p->state == REQUEST_REFUSED ? -1 : 0;
}

/* --------------------------------------------------------------------- body */

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct request_parser *p = self(llhttp);
    bool more = len == 0 || p->events->on_body(p->owner, at, len);
    if (p->state == REQUEST_REFUSED)
        return -1;
    if (more)
        return 0;
    request_parser_enter(p, REQUEST_HELD);
    return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct request_parser *p = self(llhttp);
    struct fields trailers = head_fields(&p->trailers, 0);
    request_parser_enter(p, REQUEST_COMPLETE);
    p->events->on_end(p->owner, &trailers);
    return HPE_PAUSED;
}

/* ----------------------------------------------------------------- refusals */

/* RFC 9110 5.6.2 */
static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* The status must not depend on how the bytes were cut, so nothing beyond the
 * byte llhttp stopped at is looked at: a token that is no method it knows is
 * 501 (RFC 9110 9.1), anything else 400. */
static int status_of(const struct request_parser *p, llhttp_errno_t error, const char *end)
{
    const char *at = llhttp_get_error_pos(&p->llhttp);
    switch (error) {
    case HPE_INVALID_METHOD: return at && at < end && is_token_char(*at) ? 501 : 400;
    case HPE_INVALID_CONSTANT: /* a method of RTSP or ICE */
        return p->llhttp.method >= HTTP_SOURCE && p->llhttp.method != HTTP_QUERY ? 501 : 400;
    case HPE_INVALID_VERSION:
        return p->version == VERSION_KNOWN ? 400 : 505; /* what follows the version, or it */
    case HPE_PAUSED_H2_UPGRADE: return 505;
    default: return 400;
    }
}

static void refuse_malformed(struct request_parser *p, llhttp_errno_t error, const char *end)
{
    if (p->refusal.error == FAILURE_NONE) {
        const char *reason = llhttp_get_error_reason(&p->llhttp);
        (void)refuse(p, status_of(p, error, end), reason && *reason ? reason : "malformed request");
    }
    request_parser_enter(p, REQUEST_REFUSED);
    p->events->on_refused(p->owner, &p->refusal);
}

/* ------------------------------------------------------------------ feeding */

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

/* The three bytes before the next input, for on_version(). */
static void remember_last(struct request_parser *p, const char *data, size_t len)
{
    size_t n = len < 3 ? len : 3;
    memmove(p->before, p->before + n, 3 - n);
    memcpy(p->before + 3 - n, data + len - n, n);
}

size_t request_parser_skip(const char *data, size_t len)
{
    size_t skipped = 0;
    while (skipped < len && (data[skipped] == '\r' || data[skipped] == '\n'))
        skipped++;
    return skipped;
}

size_t request_parser_feed(struct request_parser *p, const char *data, size_t len)
{
    MAGIC_CHECK(p, MAGIC);
    CHECK(p->state == REQUEST_HEAD || p->state == REQUEST_BODY);
    if (llhttp_get_errno(&p->llhttp) == HPE_PAUSED)
        llhttp_resume(&p->llhttp);
    p->input = data;
    llhttp_errno_t error = llhttp_execute(&p->llhttp, data, len);
    if (error == HPE_PAUSED)
        return (size_t)(llhttp_get_error_pos(&p->llhttp) - data);
    if (error != HPE_OK && p->state != REQUEST_REFUSED)
        refuse_malformed(p, error, data + len);
    else if (p->state == REQUEST_HEAD)
        remember_last(p, data, len);
    return len;
}

void request_parser_resume(struct request_parser *p)
{
    if (p->state == REQUEST_HELD)
        request_parser_enter(p, REQUEST_BODY);
}

void request_parser_stop(struct request_parser *p)
{
    if (p->state != REQUEST_REFUSED)
        request_parser_enter(p, REQUEST_REFUSED);
}

/* -------------------------------------------------------------------- life */

enum request_parser_state request_parser_state(const struct request_parser *p)
{
    return p->state;
}

const struct request *request_parser_request(const struct request_parser *p)
{
    return &p->request;
}

void request_parser_disown(struct request_parser *p)
{
    p->request.arena = NULL;
}

struct request_parser *request_parser_new(const char *object, const struct request_limits *limits,
                                          struct request_ids *ids,
                                          const struct request_parser_events *events, void *owner)
{
    struct request_parser *p = SPARES_NEW(&spares, struct request_parser);
    MAGIC_INIT(p, MAGIC);
    p->request.arena = arena_new();
    if (ids)
        request_ids_next(ids, &p->request.id);
    p->limits = *limits;
    p->object = object;
    p->events = events;
    p->owner = owner;
    head_start(&p->head, p->request.arena, limits->max_header_size);
    llhttp_init(&p->llhttp, HTTP_REQUEST, settings());
    p->llhttp.data = p;
    return p;
}

void request_parser_free(struct request_parser *p)
{
    if (p == NULL)
        return;
    MAGIC_CHECK(p, MAGIC);
    p->magic = 0;
    arena_free(p->request.arena);
    spares_give(&spares, p);
}
