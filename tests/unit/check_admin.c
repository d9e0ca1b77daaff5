/* The pages that trunkline itself serves, over fake pools. */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "admin_fixture.h"
#include "pages/stats_document.h"
#include "suite.h"

static struct upstream_stats counted, untouched;
static struct pool rows[2];
static struct totals totals;

static void count_clients(void *context, struct client_counts *c)
{
    ck_assert_ptr_eq(context, &admin);
    *c = (struct client_counts){.open = 3, .accepted = 10, .rejected = 2};
}

static void count_stored(void *context, struct store_counts *c)
{
    ck_assert_ptr_eq(context, &admin);
    *c = (struct store_counts){.entries = 2, .bytes = 900};
}

static void view_state(void *context, struct state_view *v)
{
    ck_assert_ptr_eq(context, &admin);
    *v = (struct state_view){.file = {.path = "/s/state.json", .written_s = 17, .failures = 2}};
}

static void fill_stats(struct upstream_stats *s)
{
    uint64_t n = 100;
#define COUNTER(member, path, metric, label, meaning) s->member = n++;
#define PHASE(member, key, meaning) histogram_add(&s->member, n++);
#include "upstream/stats.def"
    s->succeeded = 6;
    s->failed = 2;
    s->abandoned = 1;
    for (unsigned i = 0; i < CLOSE_REASON_COUNT; i++)
        s->closed[i] = 200 + i;
    for (unsigned i = 0; i < COUNT_OF(s->status); i++)
        s->status[i] = 300 + i;
    s->errors[FAILURE_CONNECTION_REFUSED] = 2;
    for (int i = 0; i < 99; i++)
        histogram_add(&s->ttfb, 20000);
    histogram_add(&s->ttfb, 2000000);
}

static struct freezes *freezes;

static void setup(void)
{
    loop = loop_new();
    freezes = freezes_new(loop);
    memset(&counted, 0, sizeof counted);
    memset(&untouched, 0, sizeof untouched);
    fill_stats(&counted);
    rows[0].view = (struct pool_view){.name = "binance",
                                      .origin = "https://api.binance.com:443",
                                      .state = "up",
                                      .breaker = "closed",
                                      .listed = true,
                                      .tls_verify = true,
                                      .idle = 4,
                                      .active = 2,
                                      .connecting = 1,
                                      .waiting = 5,
                                      .requests = 7,
                                      .max_wait_us = 1234,
                                      .learned_idle_ms = -1,
                                      .gate = {.weight_used = -1},
                                      .clock = {-7312345, 91250, 12},
                                      .standing = {.since_ms = 1764230400999, .reason = "a hold"},
                                      .now_s = 1764230400,
                                      .certificate_ends_s = 1764230400 + 10 * 86400 + 8640,
                                      .stats = &counted,
                                      .recent = &counted.recent};
    rows[1].view = (struct pool_view){.name = "stranger.test",
                                      .origin = "https://stranger.test:443",
                                      .state = "open",
                                      .breaker = "open",
                                      .learned_idle_ms = 54000,
                                      .gate = {.rate_held = 3,
                                               .rate_refused = 2,
                                               .weight_used = 4980,
                                               .held_ms = 1500,
                                               .holds = {{"public", 429, "grid1", "/limited", 1500},
                                                         {"credential", 418, "", "", 9}},
                                               .hold_count = 2},
                                      .stats = &untouched,
                                      .recent = &untouched.recent};
    pools = (struct pools){rows, 2};
    totals = (struct totals){
        .under_way.requests.count = 1, .succeeded = 118, .failed = 1, .abandoned = 3};
    admin = (struct admin){.loop = loop,
                           .pools = &pools,
                           .totals = &totals,
                           .freezes = freezes,
                           .count_clients = count_clients,
                           .count_stored = count_stored,
                           .view_state = view_state,
                           .context = &admin,
                           .config_path = "/etc/trunkline.conf",
                           .started_us = loop_clock_us(loop) - 12345000};
}

static void teardown(void)
{
    stats_free(&counted);
    stats_free(&untouched);
    freezes_free(freezes);
    loop_free(loop);
}

static json_t *parse(bool recent)
{
    struct stats_source shown = {.loop = loop,
                                 .pools = admin.pools,
                                 .totals = admin.totals,
                                 .freezes = freezes,
                                 .config_path = admin.config_path,
                                 .started_us = admin.started_us,
                                 .draining = admin.draining};
    count_clients(&admin, &shown.clients);
    count_stored(&admin, &shown.stored);
    view_state(&admin, &shown.vitals.state);
    shown.vitals.reload = (struct reload_result){99, true};
    shown.vitals.process.descriptors = 7;
    struct page_source *source = stats_document_new(&shown, recent ? STATS_RECENT : STATS_PLAIN);
    struct text document = {0};
    while (source->next(source, &document))
        ;
    source->free(source);
    json_t *o = json_loads(document.at, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(o != NULL, "not JSON: %s", document.at);
    text_free(&document);
    return o;
}

static json_t *parse_stats(void)
{
    return parse(false);
}

static json_t *at(json_t *o, const char *path)
{
    char copy[100], *rest = copy;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *key; o && (key = strsep(&rest, "."));)
        o = json_is_array(o) ? json_array_get(o, (size_t)atoi(key)) : json_object_get(o, key);
    return o;
}

static double number(json_t *o, const char *path)
{
    ck_assert_msg(json_is_number(at(o, path)), "%s is no number", path);
    return json_number_value(at(o, path));
}

static const char *word(json_t *o, const char *path)
{
    ck_assert_msg(json_is_string(at(o, path)), "%s is no string", path);
    return json_string_value(at(o, path));
}

/* The page has exactly these keys, in this order. */
static void has_keys(json_t *o, const char *path, const char *expected)
{
    char keys[400] = "";
    size_t len = 0;
    const char *key;
    json_t *value, *object = *path ? at(o, path) : o;
    ck_assert_msg(json_is_object(object), "%s is no object", path);
    json_object_foreach (object, key, value) {
        len += (size_t)snprintf(keys + len, sizeof keys - len, "%s%s", len ? " " : "", key);
    }
    ck_assert_str_eq(keys, expected);
}

#define FIVE_MINUTES "seconds requests failed per_second error_rate unknown stale sent reused"

START_TEST(every_key_in_its_order)
{
    json_t *o = parse_stats();
    has_keys(o, "",
             "version pid uptime_s draining config reload process clients requests last_5m cache "
             "state_file order_journal frozen_bots "
             "budget_store bots upstreams");
    has_keys(o, "reload", "at succeeded");
    has_keys(o, "process",
             "started cpu_s resident_bytes virtual_bytes descriptors descriptors_max");
    has_keys(o, "clients", "open accepted rejected");
    has_keys(o, "requests", "active total succeeded failed success_rate");
    has_keys(o, "cache", "entries bytes");
    has_keys(o, "bots", "");
    has_keys(o, "state_file", "path written failures error damage put_aside");
    json_t *u = at(o, "upstreams.0");
    has_keys(u, "",
             "name origin listed tls_verify state frozen frozen_bots since reason certificate_days "
             "addresses connections tunnels queue requests last_5m latency_ms "
             "limits breaker learned_idle_ms clock exits endpoints bytes cache");
    has_keys(u, "connections",
             "open idle active connecting max streams streams_peak closed opened reused handshakes "
             "resumed drained http1 http2 failed");
    has_keys(u, "connections.closed",
             "idle_timeout max_age max_requests max_idle response peer "
             "error dns_change reconnect drain");
    has_keys(u, "tunnels", "open total bypassing tls_failed");
    has_keys(u, "queue", "waiting max_wait_ms");
    has_keys(u, "requests",
             "active total success_rate status errors last_at succeeded failed retried abandoned "
             "unknown duplicates");
    has_keys(o, "last_5m", FIVE_MINUTES);
    has_keys(u, "last_5m", FIVE_MINUTES " p50_ms p99_ms");
    has_keys(u, "requests.status", "1xx 2xx 3xx 4xx 5xx");
    has_keys(u, "bytes", "sent received");
    has_keys(u, "latency_ms", "total hold queue dns connect tls ttfb");
    has_keys(u, "latency_ms.tls", "count mean p50 p90 p99 p999 max");
    has_keys(u, "cache", "hits misses stale collapsed");
    has_keys(u, "clock", "offset_ms error_ms samples");
    has_keys(u, "limits",
             "rate_held rate_refused weight_used weight_limit held_ms budget bots holds");
    json_decref(o);
}
END_TEST

START_TEST(values_are_those_counted)
{
    json_t *o = parse_stats(), *u = at(o, "upstreams.0");
#define COUNTER(member, path, metric, label, meaning)                                              \
    ck_assert_double_eq(number(u, path), (double)counted.member);
#define PHASE(member, key, meaning)                                                                \
    ck_assert_double_eq(number(u, "latency_ms." key ".count"), (double)counted.member.count);
#include "upstream/stats.def"
    ck_assert_double_eq(number(u, "connections.closed.idle_timeout"), 200);
    ck_assert_double_eq(number(u, "connections.closed.drain"), 209);
    ck_assert_double_eq(number(u, "requests.status.5xx"), 304);
    has_keys(u, "requests.errors", "connection_refused");
    ck_assert_double_eq(number(u, "requests.errors.connection_refused"), 2);
    ck_assert_double_eq(number(u, "queue.waiting"), 5);
    ck_assert_double_eq(number(u, "queue.max_wait_ms"), 1.234);
    json_decref(o);
}
END_TEST

START_TEST(what_is_frozen_is_told)
{
    json_t *o = parse_stats();
    ck_assert(json_is_null(at(o, "upstreams.0.frozen")));
    ck_assert_uint_eq(json_array_size(at(o, "frozen_bots")), 0);
    json_decref(o);
    freezes_restore(freezes, &(struct freeze){"binance", NULL, "kai", 1795770000123, false});
    freezes_restore(freezes, &(struct freeze){"okx", "grid1", "kai", 0, false});
    freezes_restore(freezes, &(struct freeze){NULL, "arb", "kai", 0, false});
    freezes_restore(freezes, &(struct freeze){"binance", "arb", "kai", 0, true});
    o = parse_stats();
    ck_assert_str_eq(word(o, "upstreams.0.frozen.by"), "kai");
    ck_assert_double_eq(number(o, "upstreams.0.frozen.since"), 1795770000);
    ck_assert_uint_eq(json_array_size(at(o, "upstreams.0.frozen_bots")), 0);
    ck_assert_str_eq(word(o, "frozen_bots.0"), "grid1");
    ck_assert_str_eq(word(o, "frozen_bots.1"), "arb");
    json_decref(o);
}
END_TEST

START_TEST(what_is_derived_adds_up)
{
    json_t *o = parse_stats(), *u = at(o, "upstreams.0");
    ck_assert_double_eq(number(u, "connections.open"), 7);
    ck_assert_double_eq(number(u, "requests.active"), 7);
    ck_assert_double_eq(number(u, "requests.total"), 7 + 6 + 2 + 1);
    ck_assert_double_eq(number(u, "requests.success_rate"), 0.75);
    ck_assert_double_eq(number(o, "requests.total"), 123);
    ck_assert_double_eq_tol(number(o, "requests.success_rate"), 118.0 / 119, 1e-9);
    json_decref(o);
}
END_TEST

START_TEST(bots_are_listed)
{
    *bots_find(&totals.bots, SPAN("grid1")) =
        (struct bot){.name = "grid1", .requests = 2, .weight = 120};
    (void)bots_find(&totals.bots, SPAN("never"));
    bots_find(&totals.bots, SPAN("a b"))->requests = 4;
    json_t *o = parse_stats();
    has_keys(o, "bots", "grid1 other");
    has_keys(o, "bots.grid1", "requests failed weight");
    ck_assert_double_eq(number(o, "bots.grid1.weight"), 120);
    ck_assert_double_eq(number(o, "bots.other.requests"), 4);
    json_decref(o);
}
END_TEST

START_TEST(rate_is_null_before_the_first)
{
    totals = (struct totals){.under_way.requests.count = 4, .abandoned = 1};
    json_t *o = parse_stats();
    ck_assert(json_is_null(at(o, "requests.success_rate")));
    ck_assert(json_is_null(at(o, "upstreams.1.requests.success_rate")));
    ck_assert_double_eq(number(o, "upstreams.1.latency_ms.total.mean"), 0);
    ck_assert_double_eq(number(o, "upstreams.1.latency_ms.total.p99"), 0);
    has_keys(o, "upstreams.1.requests.errors", "");
    json_decref(o);
}
END_TEST

START_TEST(percentiles_are_milliseconds)
{
    json_t *o = parse_stats(), *ttfb = at(o, "upstreams.0.latency_ms.ttfb");
    ck_assert_double_eq(number(ttfb, "count"), 101);
    ck_assert_double_eq_tol(number(ttfb, "p50"), 20, 0.5);
    ck_assert_double_eq_tol(number(ttfb, "p90"), 20, 0.5);
    ck_assert_double_eq(number(ttfb, "p999"), 2000);
    ck_assert_double_eq(number(ttfb, "max"), 2000);
    ck_assert_double_eq_tol(number(ttfb, "mean"), (99 * 20 + 2000) / 101.0, 0.01);
    json_decref(o);
}
END_TEST

START_TEST(identity_tells_the_truth)
{
    json_t *o = parse_stats();
    ck_assert_str_eq(word(o, "version"), PACKAGE_VERSION);
    ck_assert_double_eq(number(o, "pid"), getpid());
    ck_assert(number(o, "uptime_s") >= 12.345 && number(o, "uptime_s") < 60);
    ck_assert(json_is_false(at(o, "draining")));
    ck_assert_str_eq(word(o, "config"), "/etc/trunkline.conf");
    ck_assert_double_eq(number(o, "clients.rejected"), 2);
    ck_assert_str_eq(word(o, "state_file.path"), "/s/state.json");
    ck_assert_double_eq(number(o, "state_file.written"), 17);
    ck_assert_double_eq(number(o, "state_file.failures"), 2);
    ck_assert(json_is_null(at(o, "state_file.error")) && json_is_null(at(o, "state_file.damage")));
    json_t *u = at(o, "upstreams.0");
    ck_assert_str_eq(word(u, "origin"), "https://api.binance.com:443");
    ck_assert(json_is_true(at(u, "listed")) && json_is_true(at(u, "tls_verify")));
    ck_assert_str_eq(word(u, "state"), "up");
    ck_assert(json_is_null(at(u, "learned_idle_ms")) && json_is_null(at(u, "limits.weight_used")));
    ck_assert_double_eq(number(u, "since"), 1764230400);
    ck_assert_str_eq(word(u, "reason"), "a hold");
    ck_assert_double_eq(number(u, "certificate_days"), 10.1);
    ck_assert(json_array_size(at(u, "addresses")) == 0);
    ck_assert_double_eq(number(o, "reload.at"), 99);
    ck_assert(json_is_true(at(o, "reload.succeeded")));
    ck_assert_double_eq(number(o, "process.descriptors"), 7);
    ck_assert_double_eq(number(u, "clock.offset_ms"), -7312.3);
    ck_assert_double_eq(number(u, "clock.error_ms"), 91.2);
    ck_assert_double_eq(number(u, "clock.samples"), 12);
    u = at(o, "upstreams.1");
    ck_assert(json_is_null(at(u, "reason")) && json_is_null(at(u, "certificate_days")));
    ck_assert(json_is_null(at(u, "clock.offset_ms")) && json_is_null(at(u, "clock.error_ms")));
    ck_assert(json_is_false(at(u, "listed")));
    ck_assert_str_eq(word(u, "breaker"), "open");
    ck_assert_double_eq(number(u, "learned_idle_ms"), 54000);
    ck_assert_double_eq(number(u, "limits.rate_held"), 3);
    ck_assert_double_eq(number(u, "limits.rate_refused"), 2);
    ck_assert_double_eq(number(u, "limits.weight_used"), 4980);
    ck_assert_double_eq(number(u, "limits.held_ms"), 1500);
    char *holds = json_dumps(json_object_get(json_object_get(u, "limits"), "holds"), JSON_COMPACT);
    ck_assert_str_eq(holds, "[{\"status\":429,\"bot\":\"grid1\",\"path\":\"/limited\","
                            "\"held\":\"public\",\"left_ms\":1500},"
                            "{\"status\":418,\"bot\":null,\"path\":null,"
                            "\"held\":\"credential\",\"left_ms\":9}]");
    free(holds);
    json_decref(o);
}
END_TEST

START_TEST(a_path_that_is_not_utf8_is_replaced)
{
    admin.config_path = "/etc/\xff.conf";
    json_t *o = parse_stats();
    ck_assert(json_is_string(at(o, "config")));
    json_decref(o);
}
END_TEST

START_TEST(stats_page)
{
    expect("GET", "/stats", 200, "Content-Type: application/json\n", "\"upstreams\":[{");
    expect("GET", "/stats?pretty=1", 200, "Cache-Control: no-store\n", "{\"version\":");
    expect("GET", "/stats", 200, "X-Content-Type-Options: nosniff\n", "}");
}
END_TEST

/* Text from a peer becomes valid JSON, whatever bytes it contains. */
START_TEST(recent_stats)
{
    struct verdict v = verdict_make(FAILURE_CONNECTION_TIMEOUT, SENT_PARTIAL, "na\xefve \"words\"");
    uint64_t before = loop_clock_us(loop) - RECENT_STEP_US;
    recent_ended(&counted.recent, before);
    recent_failed(&counted.recent, before);
    recent_answered(&counted.recent, before, 2500);
    recent_ended(&totals.unrouted, before);
    rows[0].view.now_us = loop_clock_us(loop);
    recent_errors_add_status(&totals.recent_errors, NULL, 500, 9);
    recent_errors_add(&totals.recent_errors, "binance", &v, 504, 10);
    json_t *o = parse(true), *u = at(o, "upstreams.0.recent");
    has_keys(o, "",
             "version pid uptime_s draining config reload process clients requests last_5m cache "
             "state_file order_journal frozen_bots "
             "budget_store bots upstreams "
             "recent_errors");
    has_keys(u, "", "step_s ended failed p50_ms p99_ms");
    ck_assert_uint_eq(json_array_size(at(u, "ended")), RECENT_STEPS);
    ck_assert_double_eq(number(u, "ended.59") + number(u, "ended.58"), 1);
    ck_assert_double_eq(number(u, "failed.59") + number(u, "failed.58"), 1);
    ck_assert_double_eq(number(u, json_is_null(at(u, "p50_ms.59")) ? "p50_ms.58" : "p50_ms.59"),
                        2.5);
    ck_assert(json_is_null(at(u, "p99_ms.0")));
    ck_assert_double_eq(number(o, "upstreams.1.recent.ended.59"), 0);
    ck_assert_double_eq(number(o, "upstreams.0.last_5m.requests"), 1);
    ck_assert_double_eq(number(o, "upstreams.0.last_5m.error_rate"), 1);
    ck_assert_double_eq(number(o, "upstreams.0.last_5m.p99_ms"), 2.5);
    ck_assert(json_is_null(at(o, "upstreams.1.last_5m.p99_ms")));
    ck_assert(json_is_null(at(o, "upstreams.1.last_5m.error_rate")));
    ck_assert_double_eq(number(o, "last_5m.requests"), 2); /* one of them without an upstream */
    ck_assert_double_eq(number(o, "last_5m.failed"), 1);
    has_keys(o, "recent_errors.0", "at upstream error status sent detail count");
    ck_assert_str_eq(word(o, "recent_errors.0.detail"), "na?ve \"words\"");
    ck_assert_str_eq(word(o, "recent_errors.0.error"), "connection_timeout");
    ck_assert_str_eq(word(o, "recent_errors.0.sent"), "partial");
    ck_assert_double_eq(number(o, "recent_errors.0.status"), 504);
    ck_assert(json_is_null(at(o, "recent_errors.1.upstream")));
    ck_assert(json_is_null(at(o, "recent_errors.1.error")));
    json_decref(o);
    expect("GET", "/stats?recent", 200, "Cache-Control: no-store\n", "\"recent_errors\":[{");
}
END_TEST

START_TEST(dashboard_page_is_served)
{
    expect("GET", "/", 200, "Content-Type: text/html; charset=utf-8\n", "<!DOCTYPE html>");
    expect("GET", "/?x", 200, "Content-Security-Policy: default-src 'none'; script-src 'sha256-",
           "");
    expect("GET", "/", 200, "X-Content-Type-Options: nosniff\n", "</html>");
    struct answer head = ask("HEAD", "/");
    ck_assert(head.status == 200 && head.length > 10000 && head.body.len == 0);
    text_free(&head.body);
}
END_TEST

START_TEST(metrics_page)
{
    expect("GET", "/metrics", 200, "Content-Type: text/plain; version=0.0.4; charset=utf-8\n",
           "\ntrunkline_requests_total{upstream=\"binance\",status=\"2xx\"} 0\n");
    expect("GET", "/metrics?x", 200, "Cache-Control: no-store\n", "\ntrunkline_clients_open 3\n");
}
END_TEST

START_TEST(head_has_the_length_and_no_body)
{
    struct answer head = ask("HEAD", "/healthz");
    ck_assert_uint_eq(head.status, 200);
    ck_assert_uint_eq(head.length, 3);
    ck_assert_uint_eq(head.body.len, 0);
    text_free(&head.body);
    head = ask("HEAD", "/stats");
    ck_assert(head.length > 500 || !head.has_length); /* in pieces, on a slow machine */
    ck_assert_uint_eq(head.body.len, 0);
    text_free(&head.body);
    head = ask("HEAD", "/metrics");
    ck_assert(head.length > 500 || !head.has_length);
    ck_assert(head.status == 200 && head.body.len == 0);
    text_free(&head.body);
    head = ask("HEAD", "/nothing");
    ck_assert(head.status == 404 && head.length > 0 && head.body.len == 0);
    text_free(&head.body);
}
END_TEST

START_TEST(health)
{
    expect("GET", "/healthz", 200, "Content-Type: text/plain", "ok\n");
    admin.draining = true;
    expect("GET", "/healthz?x", 503, "no-store", "draining\n");
    json_t *o = parse_stats();
    ck_assert(json_is_true(at(o, "draining")));
    json_decref(o);
}
END_TEST

START_TEST(methods_are_listed)
{
    expect("POST", "/stats", 405, "Allow: GET, HEAD\n", "http_request_error");
    expect("OPTIONS", "/healthz", 405, "Allow: GET, HEAD\n", "");
    expect("DELETE", "/", 405, "Allow: GET, HEAD\n", "");
    expect("PUT", "/metrics", 405, "Allow: GET, HEAD\n", "");
    expect("GET", "/upstreams/binance/pause", 405, "Allow: POST\n", "");
    expect("OPTIONS", "*", 200, "Allow: GET, HEAD, POST", "");
    expect("GET", "*", 405, "Allow: OPTIONS\n", "");
}
END_TEST

static void describe(const struct under_way_entry *e, struct request_view *to, struct text *target)
{
    static const struct request_id id = {"06f3k9d2q4ab-17"};
    ck_assert_ptr_nonnull(e->all.on);
    *to = (struct request_view){.id = &id,
                                .age_us = 12345,
                                .client = "127.0.0.1:5",
                                .upstream = "binance",
                                .method = SPAN("GET"),
                                .progress = {PROGRESS_AWAITING, 7, "192.0.2.1:443"},
                                .sent = SENT_YES};
    text_add(target, SPAN("/a\"b"));
}

START_TEST(requests_under_way)
{
    struct under_way under_way;
    struct under_way_entry one = {0}, two = {0};
    under_way_init(&under_way, describe);
    admin.under_way = &under_way;
    expect("GET", "/requests", 200, "Content-Type: application/json\n", "{\"requests\":[]}");
    under_way_enter(&under_way, &one, true);
    under_way_enter(&under_way, &two, false);
    expect("GET", "/requests", 200, "Cache-Control: no-store\n",
           "[{\"id\":\"06f3k9d2q4ab-17\",\"age_ms\":12.345,\"client\":\"127.0.0.1:5\","
           "\"bot\":null,\"upstream\":\"binance\",\"method\":\"GET\",\"target\":\"/a\\\"b\","
           "\"state\":\"awaiting\",\"line\":7,\"address\":\"192.0.2.1:443\",\"sent\":\"yes\","
           "\"left\":false},{\"id\":");
    expect("POST", "/requests", 405, "Allow: GET, HEAD\n", "");
    ck_assert_uint_eq(under_way.walks.count, 0);
}
END_TEST

START_TEST(unknown_paths_name_the_known_ones)
{
    static const char *const paths[] = {
        "//",         "/metrics/",          "/nothing",          "/stats/",
        "/upstreams", "/upstreams/binance", "/upstreams//pause", "/upstreams/a/b/c"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        expect("GET", paths[i], 404, "Proxy-Status: trunkline; error=http_request_error",
               "known: /, /stats, /requests, /connections, /metrics, /healthz, /binance\n");
}
END_TEST

START_TEST(names_that_do_not_fit_are_left_out_whole)
{
    static struct pool many[40];
    static char names[40][24];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "exchange-%02d", i);
        many[i].view = rows[0].view;
        many[i].view.name = names[i];
    }
    pools = (struct pools){many, 40};
    struct answer a = ask("GET", "/nothing");
    ck_assert_ptr_nonnull(strstr(a.body.at, "/exchange-00, "));
    char *last = strrchr(a.body.at, '/');
    ck_assert_msg(strlen(last) == strlen("/exchange-00\n"), "cut: %s", last);
    text_free(&a.body);
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(every_key_in_its_order);
    TEST(values_are_those_counted);
    TEST(what_is_frozen_is_told);
    TEST(what_is_derived_adds_up);
    TEST(bots_are_listed);
    TEST(rate_is_null_before_the_first);
    TEST(percentiles_are_milliseconds);
    TEST(identity_tells_the_truth);
    TEST(a_path_that_is_not_utf8_is_replaced);
    TEST(stats_page);
    TEST(recent_stats);
    TEST(dashboard_page_is_served);
    TEST(metrics_page);
    TEST(head_has_the_length_and_no_body);
    TEST(health);
    TEST(methods_are_listed);
    TEST(requests_under_way);
    TEST(unknown_paths_name_the_known_ones);
    TEST(names_that_do_not_fit_are_left_out_whole);
}
