#include "cli/checkup.h"

#include <stdio.h>

#include "base/duration.h"
#include "config/hosts.h"
#include "http/origin.h"
#include "http/origin_clock.h"
#include "upstream/line.h"

#define MAGIC 0x63686b75
#define HEAD_LIMIT (32 * 1024)
#define WEIGHT_MOST INT64_C(1000000000000)

struct checkup {
    unsigned magic;
    const struct connect_env *env;
    const struct upstream_config *upstream;
    struct connector *connector;
    struct line_env line_env;
    struct line *line;
    struct exchange *exchange;
    struct arena *arena; /* of the request */
    struct dns_query query;
    struct upstream_stats stats;
    struct deadline patience, response;
    struct task end;
    bool over;
    uint64_t asked_us;
    struct checkup_facts facts;
    void (*done)(void *owner);
    void *owner;
};

/* Small public pages of exchanges, which show the time and the weight used. Any other origin
 * is asked for "/", and may respond that it has none. */
static const struct {
    const char *host, *path;
} pages[] = {
    {"api.binance.com", "/api/v3/ping"},
    {"fapi.binance.com", "/fapi/v1/ping"},
    {"api.kraken.com", "/0/public/Time"},
    {"api.exchange.coinbase.com", "/time"},
    {"api.coinbase.com", "/api/v3/brokerage/time"},
    {"www.okx.com", "/api/v5/public/time"},
    {"api.bybit.com", "/v5/market/time"},
};

static int64_t wall_ms(const struct checkup *c)
{
    struct timespec t = loop_wall(c->env->loop);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -------------------------------------------------------------------- its end */

/* Cancels all that is under way; no event comes after. */
static void let_go(struct checkup *c)
{
    deadline_stop(&c->patience);
    deadline_stop(&c->response);
    dns_cancel(&c->query);
    if (c->exchange)
        exchange_cancel(c->exchange);
    if (c->line)
        line_close(c->line, "done", "the look is over");
    c->exchange = NULL;
    c->line = NULL;
}

static void run_end(struct task *t)
{
    struct checkup *c = container_of(t, struct checkup, end);
    MAGIC_CHECK(c, MAGIC);
    let_go(c);
    c->done(c->owner);
}

/* Called from any event: what may be on the stack is freed later. */
static void finish(struct checkup *c)
{
    c->over = true;
    loop_defer(c->env->loop, &c->end);
}

static void fail(struct checkup *c, enum failure why, const char *detail)
{
    if (c->over)
        return;
    c->facts.failure = why;
    snprintf(c->facts.detail, sizeof c->facts.detail, "%s", detail);
    finish(c);
}

static void on_out_of_patience(struct deadline *d)
{
    struct checkup *c = container_of(d, struct checkup, patience);
    char limit[DURATION_TEXT_SIZE], detail[80];
    snprintf(detail, sizeof detail, "the whole look took more than %s",
             duration_text(limit, CHECKUP_PATIENCE_MS));
    fail(c, FAILURE_CONNECTION_TIMEOUT, detail);
}

static void on_no_response(struct deadline *d)
{
    struct checkup *c = container_of(d, struct checkup, response);
    char limit[DURATION_TEXT_SIZE], detail[80];
    snprintf(detail, sizeof detail, "no response within %s",
             duration_text(limit, c->upstream->response_timeout));
    fail(c, FAILURE_HTTP_RESPONSE_TIMEOUT, detail);
}

/* --------------------------------------------------------------------- asking */

static bool read_weight(struct span value, int64_t *weight)
{
    *weight = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        if (*weight < WEIGHT_MOST)
            *weight = *weight * 10 + (value.at[i] - '0');
    }
    return value.len > 0;
}

static void on_head(void *owner, const struct response *r)
{
    struct checkup *c = owner;
    MAGIC_CHECK(c, MAGIC);
    struct checkup_facts *f = &c->facts;
    const char *header = c->upstream->weight_header;
    const struct field *weight = header ? fields_find(&r->fields, span_of(header)) : NULL;
    if (c->over)
        return;
    f->status = r->status;
    f->answered_ms = wall_ms(c);
    f->answer_us = loop_clock_us(c->env->loop) - c->asked_us;
    f->has_date = origin_clock_date(&r->fields, f->answered_ms / 1000, &f->date_s);
    f->has_weight = weight && read_weight(span_trim(weight->value), &f->weight);
    finish(c); /* the body does not matter */
}

static void on_exchange_failed(void *owner, const struct verdict *why)
{
    struct checkup *c = owner;
    MAGIC_CHECK(c, MAGIC);
    c->exchange = NULL;
    fail(c, why->error, why->detail);
}

static void on_end(void *owner, const struct fields *trailers)
{
    struct checkup *c = owner;
    (void)trailers;
    c->exchange = NULL;
}

static void on_interim(void *owner, const struct response *r)
{
    (void)owner, (void)r;
}

static void on_body(void *owner, const char *data, size_t len)
{
    (void)owner, (void)data, (void)len;
}

static void on_drain(void *owner)
{
    (void)owner;
}

static void choose_page(struct checkup *c)
{
    c->facts.path = "/";
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        if (strcmp(hosts_at(c->upstream, 0).host, pages[i].host) == 0) {
            c->facts.path = pages[i].path;
            c->facts.known_path = true;
        }
    }
}

static void ask(struct checkup *c)
{
    static const struct exchange_events events = {.on_interim = on_interim,
                                                  .on_head = on_head,
                                                  .on_body = on_body,
                                                  .on_end = on_end,
                                                  .on_failed = on_exchange_failed,
                                                  .on_drain = on_drain};
    static const struct fields none;
    const struct upstream_config *u = c->upstream;
    struct origin origin = {.secure = u->secure, .host = span_of(u->host), .port = u->port};
    struct conn_request request = {
        .method = SPAN("GET"),
        .target = span_of(c->facts.path),
        .authority = origin_authority(c->arena, &origin, false),
        .framing = FRAMING_NONE,
        .header_limit = HEAD_LIMIT,
    };
    fields_add(&request.fields, c->arena, SPAN("User-Agent"),
               SPAN("trunkline-doctor/" PACKAGE_VERSION));
    fields_add(&request.fields, c->arena, SPAN("Accept"), SPAN("*/*"));
    c->facts.asked_ms = wall_ms(c);
    c->asked_us = loop_clock_us(c->env->loop);
    line_lend(c->line, false);
    c->exchange = line_open(c->line, &request, &events, c);
    exchange_finish(c->exchange, &none);
    if (u->response_timeout)
        deadline_in(&c->response, u->response_timeout);
}

/* ----------------------------------------------------------------- connecting */

static void note_line(struct checkup_facts *f, const struct connect_report *r)
{
    f->connected = true;
    f->secure = r->secure;
    if (r->peer.ss_family != AF_UNSPEC)
        address_format(&r->peer, f->peer);
    snprintf(f->tls_version, sizeof f->tls_version, "%s", r->tls_version ? r->tls_version : "");
    snprintf(f->alpn, sizeof f->alpn, "%s", r->alpn ? r->alpn : "");
    f->dns_us = r->dns_us;
    f->connect_us = r->connect_us;
    f->tls_us = r->tls_us;
    f->valid_from_s = r->valid_from_s;
    f->valid_until_s = r->valid_until_s;
}

static void on_up(void *owner, struct line *l)
{
    struct checkup *c = owner;
    MAGIC_CHECK(c, MAGIC);
    if (c->over)
        return;
    note_line(&c->facts, line_report(l));
    if (line_room(l, 1))
        ask(c);
    else
        fail(c, FAILURE_CONNECTION_TERMINATED,
             "the connection closed as soon as it was established");
}

static void on_failed(void *owner, struct line *l, enum failure why, const char *detail)
{
    struct checkup *c = owner;
    MAGIC_CHECK(c, MAGIC);
    (void)l;
    fail(c, why, detail);
}

/* Its exchange reports how it ends. */
static void on_gone(void *owner, struct line *l, enum close_reason why, const char *detail)
{
    (void)owner, (void)l, (void)why, (void)detail;
}

static void on_room(void *owner, struct line *l)
{
    (void)owner, (void)l;
}

static void on_due(void *owner, struct line *l, enum close_reason why)
{
    (void)owner, (void)l, (void)why;
}

static void connect_line(struct checkup *c)
{
    static const struct line_events events = {on_up, on_failed, on_room, on_room, on_gone, on_due};
    c->line_env = (struct line_env){c->env->loop, c->connector, &c->stats, "doctor"};
    c->line = line_new(&c->line_env, c->upstream, "a look at it", &events, c);
}

/* ------------------------------------------------------------------ resolving */

static void note_address(struct checkup *c, const struct sockaddr_storage *address)
{
    char name[ADDRESS_TEXT], *at = c->facts.addresses;
    size_t len = strlen(at);
    struct sockaddr_storage with_port = *address;
    address_set_port(&with_port, c->upstream->port);
    address_format(&with_port, name);
    snprintf(at + len, sizeof c->facts.addresses - len, "%s%s", len ? ", " : "", name);
}

static void on_found(void *owner, const struct dns_addresses *found)
{
    struct checkup *c = owner;
    MAGIC_CHECK(c, MAGIC);
    if (c->over)
        return;
    for (size_t i = 0; i < found->count; i++)
        note_address(c, &found->at[i]);
    connect_line(c);
}

static void on_not_found(void *owner, enum failure why, const char *detail)
{
    struct checkup *c = owner;
    MAGIC_CHECK(c, MAGIC);
    fail(c, why, detail);
}

static void begin(struct checkup *c)
{
    const struct upstream_config *u = c->upstream;
    const struct config_exit *exit = c->connector->exit;
    struct dns_addresses found;
    if (exit && exit->kind != EXIT_SOURCE && u->connect_to.len == 0) {
        snprintf(c->facts.addresses, sizeof c->facts.addresses, "resolved by the proxy");
        connect_line(c);
    } else if (u->connect_to.len) {
        snprintf(c->facts.addresses, sizeof c->facts.addresses, "%s", u->connect_to.text);
        connect_line(c);
    } else if (dns_resolve(c->env->dns, &c->query, u->host, u->dns_timeout, &found)) {
        on_found(c, &found);
    }
}

struct checkup *checkup_start(const struct connect_env *env, struct tls_context *tls,
                              const struct upstream_config *u, const struct config_exit *exit,
                              void (*done)(void *owner), void *owner)
{
    struct checkup *c = NEW(struct checkup);
    MAGIC_INIT(c, MAGIC);
    c->env = env;
    c->upstream = u;
    c->done = done;
    c->owner = owner;
    c->arena = arena_new();
    c->connector = connect_new(env, tls, true);
    c->connector->exit = exit;
    c->facts.exit = exit ? exit->name : NULL;
    c->query.owner = c;
    c->query.on_found = on_found;
    c->query.on_failed = on_not_found;
    deadline_init(&c->patience, env->loop, on_out_of_patience);
    deadline_init(&c->response, env->loop, on_no_response);
    task_init(&c->end, run_end);
    deadline_in(&c->patience, CHECKUP_PATIENCE_MS);
    choose_page(c);
    begin(c);
    return c;
}

const struct checkup_facts *checkup_facts(const struct checkup *c)
{
    return &c->facts;
}

void checkup_free(struct checkup *c)
{
    MAGIC_CHECK(c, MAGIC);
    task_forget(&c->end);
    let_go(c);
    c->connector->ops->free(c->connector);
    stats_free(&c->stats);
    arena_free(c->arena);
    c->magic = 0;
    free(c);
}
