#include "transaction_fixture.h"

#include <signal.h>

struct loop *loop;
struct plain_origin origin;
static struct connect_env env;
struct config *config;
struct tls_set *tls;
struct pools *pools;
struct proxy *proxy;
struct record last_record;
unsigned records;
const char *asked_path;
bool resolves;
const struct ingress ingress = {.is_loopback = true, .port = 1, .client = "127.0.0.1:9"};

static enum failure permit(void *context, bool listed, const struct sockaddr *address)
{
    (void)context;
    (void)address;
    ck_assert(listed);
    return FAILURE_NONE;
}

static void on_record(void *context, const struct record *r)
{
    (void)context;
    last_record = *r;
    records++;
}

void begin(const char *directives)
{
    struct text text = {0};
    asked_path = "/x?y";
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN); /* as the daemon does */
    loop = loop_new();
    loop_hold(loop);
    plain_origin_start(&origin, loop);
    text_printf(&text,
                "defaults { tls_verify = no }\nupstream a {\nurl = \"http://a.example\"\n"
                "connect_to = \"127.0.0.1:%u\"\n%s\n}\n",
                origin.port, directives);
    config = parse_good(text.at);
    text_free(&text);
    tls_start();
    tls = tls_set_new(config, complain, &complaints);
    ck_assert_ptr_nonnull(tls);
    env = (struct connect_env){.loop = loop, .permit = permit};
    if (resolves)
        env.dns = dns_new(loop, &(struct dns_limits){1000, 60000, 0});
    pools = pools_new(&env);
    pools_apply(pools, config, tls);
    proxy = proxy_new(loop, pools);
    proxy_configure(proxy, config);
    proxy_record(proxy, on_record, 0, NULL);
    records = 0;
}

void finish(void)
{
    proxy_stop(proxy);
    ck_assert_uint_eq(pools_requests(pools), 0);
    pools_free(pools); /* asks the proxy what is frozen */
    proxy_free(proxy);
    tls_set_free(tls);
    config_unref(config);
    plain_origin_end(&origin);
    if (env.dns)
        dns_free(env.dns);
    loop_run(loop);
    loop_free(loop);
    forget();
}

void prepare(struct test_client *a, const char *method, const char *fields)
{
    struct verdict why;
    *a = (struct test_client){.arena = arena_new()};
    text_add_str(&a->heard, "");
    a->request = (struct request){.arena = a->arena, .method = span_of(method), .minor = 1};
    a->request.target = SPAN("http://a.example/x?y");
    fields_add(&a->request.fields, a->arena, SPAN("Host"), SPAN("a.example"));
    struct span rest = arena_span(a->arena, span_of(fields));
    while (rest.len) {
        size_t colon = span_find(rest, ':'), end = span_find(rest, '\r');
        fields_add(&a->request.fields, a->arena, span_first(rest, colon),
                   span_trim(span_from(span_first(rest, end), colon + 1)));
        rest = span_from(rest, end + 2);
    }
    ck_assert_msg(framing_of_request(&a->request, &why), "%s", why.detail);
}

void ask(struct test_client *a, const char *method, const char *fields)
{
    prepare(a, method, fields);
    struct route route = {.kind = ROUTE_UPSTREAM,
                          .form = FORM_ABSOLUTE_HTTP,
                          .listed = find(config, "a"),
                          .origin = {.host = SPAN("a.example"), .port = 80},
                          .path = span_of(asked_path)};
    recorder_init(&a->recorder, &a->heard);
    a->recorder.exchange =
        proxy_open(proxy, &a->request, &ingress, &route, &recorder_events, &a->recorder);
}

void conclude(struct test_client *a)
{
    static const struct fields none;
    a->finished = true;
    exchange_finish(a->recorder.exchange, &none);
}

void ask_whole(struct test_client *a, const char *method, const char *fields)
{
    char with_length[300];
    bool has_body = strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
    snprintf(with_length, sizeof with_length, "%s%s", fields,
             has_body ? "Content-Length: 5\r\n" : "");
    ask(a, method, with_length);
    if (has_body)
        ck_assert(exchange_body(a->recorder.exchange, "hello", 5));
    conclude(a);
}

bool depart(struct test_client *a)
{
    struct exchange *x = a->recorder.exchange;
    a->recorder.exchange = NULL;
    bool followed = exchange_leave(x);
    if (followed)
        a->arena = NULL;
    a->request = (struct request){0};
    return followed;
}

void clear(struct test_client *a)
{
    ck_assert_ptr_null(a->recorder.exchange);
    text_free(&a->heard);
    loop_turn(loop, false);
    arena_free(a->arena);
}

bool heard_part(const struct test_client *a, const char *part)
{
    return strstr(a->heard.at, part) != NULL;
}

static void note_pool(void *context, const struct pool *p)
{
    struct pool_view *v = context, now;
    pool_describe(p, &now);
    if (now.listed)
        *v = now;
}

struct pool_view look(void)
{
    struct pool_view v = {0};
    pools_each(pools, note_pool, &v);
    ck_assert_ptr_nonnull(v.stats);
    return v;
}

void warm_up(void)
{
    struct test_client a;
    enum origin_manner manner = origin.manner;
    const char *answer = origin.answer;
    origin.manner = ORIGIN_ANSWERS;
    origin.answer = OK;
    ask_whole(&a, "GET", "");
    UNTIL(a.recorder.ended);
    clear(&a);
    origin.manner = manner;
    origin.answer = answer;
    origin.requests = 0;
}
