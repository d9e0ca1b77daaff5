/* The /metrics page, over views made by the test. */
#include "pages/metrics.h"

#include "pages/metric_series.h"

#include <stdio.h>

#include "pools_fixture.h"
#include "suite.h"

static struct pool rows[3];
static struct pools pools;
static struct upstream_stats counted, untouched;
static struct bots bots;
static struct text page;
static struct loop *loop;
static struct freezes *freezes;

static void setup(void)
{
    loop = loop_new();
    freezes = freezes_new(loop);
    counted = untouched = (struct upstream_stats){0};
    pools = (struct pools){rows, 2};
    rows[0].view = (struct pool_view){
        .name = "binance",
        .state = "held",
        .idle = 4,
        .active = 2,
        .connecting = 1,
        .waiting = 5,
        .requests = 7,
        .tunnels = 6,
        .learned_idle_ms = 54000,
        .standing = {.state = "held", .since_ms = 1764230400250, .cause = "status_429"},
        .now_s = 1764230400,
        .certificate_ends_s = 1764230400 + 86400,
        .clock = {-7312345, 91250, 12},
        .gate = {.rate_held = 3,
                 .rate_refused = 2,
                 .weight_used = 4980,
                 .weight_limit = 6000,
                 .held_ms = 1500,
                 .holds = {{"public", 429, "a\"b", "/limited", 1500},
                           {"credential", 418, "", "", 9},
                           {"credential", 418, "", "", 70}},
                 .hold_count = 3},
        .stats = &counted};
    rows[1].view = (struct pool_view){
        .name = "other", .learned_idle_ms = -1, .gate = {.weight_used = -1}, .stats = &untouched};
}

static void teardown(void)
{
    freezes_free(freezes);
    loop_free(loop);
    stats_free(&counted);
    text_free(&page);
}

static void make(void)
{
    struct metrics m = {.pools = &pools,
                        .bots = &bots,
                        .freezes = freezes,
                        .clients = {.open = 3, .accepted = 10, .rejected = 2},
                        .vitals = {.process = {.cpu_us = 1234567, .descriptors = 7},
                                   .started_s = 1764230000,
                                   .reload = {1764230300, false},
                                   .state = {.file = {.failures = 2, .error = "no space"}}},
                        .draining = true};
    struct page_source *source = metrics_new(&m);
    text_clear(&page);
    while (source->next(source, &page))
        ;
    source->free(source);
}

/* Checks that the page has this complete line, or that it does not. */
static bool has(const char *line)
{
    char whole[300];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    return strstr(page.at, whole) != NULL;
}

#define HAS(line) ck_assert_msg(has(line), "no line %s in\n%.3000s", line, page.at)

START_TEST(the_daemon)
{
    make();
    HAS("trunkline_build_info{version=\"" PACKAGE_VERSION "\"} 1");
    HAS("trunkline_clients_open 3");
    HAS("trunkline_clients_accepted_total 10");
    HAS("trunkline_clients_rejected_total 2");
    HAS("trunkline_draining 1");
}
END_TEST

/* Each row of the table is one sample, with the value of that row. */
START_TEST(rows_of_the_table)
{
    uint64_t n = 100;
    char line[200];
#define COUNTER(member, path, metric, label, meaning) counted.member = n++;
#include "upstream/stats.def"
    make();
#define COUNTER(member, path, metric, label, meaning)                                              \
    snprintf(line, sizeof line, "trunkline_" #metric "{upstream=\"binance\"%s%s} %ju",             \
             *(label) ? "," : "", label, (uintmax_t)counted.member);                               \
    if (strcmp(#metric, "none") != 0)                                                              \
        HAS(line);
#include "upstream/stats.def"
    HAS("# TYPE trunkline_bytes_total counter");
    HAS("trunkline_bytes_total{upstream=\"other\",direction=\"sent\"} 0");
    ck_assert_ptr_null(strstr(page.at, "trunkline_none"));
}
END_TEST

START_TEST(what_has_no_row)
{
    counted.handshakes = 9;
    counted.resumed = 4;
    counted.ended[0] = 1;
    counted.ended[2] = 40;
    counted.closed[CLOSE_PEER] = 6;
    counted.errors[FAILURE_CONNECTION_TIMEOUT] = 8;
    freezes_restore(freezes, &(struct freeze){NULL, "grid1", "kai", 0, false});
    make();
    HAS("trunkline_handshakes_total{upstream=\"binance\",resumed=\"false\"} 5");
    HAS("trunkline_handshakes_total{upstream=\"binance\",resumed=\"true\"} 4");
    HAS("trunkline_requests_total{upstream=\"binance\",status=\"none\"} 1");
    HAS("trunkline_requests_total{upstream=\"binance\",status=\"2xx\"} 40");
    HAS("trunkline_requests_active{upstream=\"binance\"} 7");
    HAS("trunkline_connections_closed_total{upstream=\"binance\",reason=\"peer\"} 6");
    HAS("trunkline_request_errors_total{upstream=\"binance\",error=\"connection_timeout\"} 8");
    HAS("trunkline_connections{upstream=\"binance\",state=\"idle\"} 4");
    HAS("trunkline_connections{upstream=\"binance\",state=\"active\"} 2");
    HAS("trunkline_connections{upstream=\"binance\",state=\"connecting\"} 1");
    HAS("trunkline_queue_waiting{upstream=\"binance\"} 5");
    HAS("trunkline_tunnels_open{upstream=\"binance\"} 6");
    HAS("trunkline_upstream_state{upstream=\"binance\",state=\"held\"} 1");
    HAS("trunkline_upstream_state{upstream=\"binance\",state=\"up\"} 0");
    HAS("trunkline_upstream_state{upstream=\"binance\",state=\"frozen\"} 0");
    HAS("trunkline_frozen_bots{upstream=\"binance\"} 1");
    HAS("trunkline_rate_limited_total{upstream=\"binance\",result=\"held\"} 3");
    HAS("trunkline_rate_limited_total{upstream=\"binance\",result=\"refused\"} 2");
    HAS("trunkline_weight_used{upstream=\"binance\"} 4980");
    HAS("trunkline_held_seconds{upstream=\"binance\"} 1.500");
}
END_TEST

START_TEST(the_process_and_its_files)
{
    make();
    HAS("trunkline_process_cpu_seconds_total 1.234567");
    HAS("trunkline_process_open_fds 7");
    HAS("trunkline_process_start_time_seconds 1764230000");
    HAS("trunkline_config_last_reload_timestamp_seconds 1764230300");
    HAS("trunkline_config_last_reload_successful 0");
    HAS("trunkline_state_write_failures_total 2");
    HAS("trunkline_state_unsaved 1");
    HAS("trunkline_state_damaged 0");
}
END_TEST

START_TEST(the_standing_of_an_upstream)
{
    make();
    HAS("trunkline_upstream_state_changed_timestamp_seconds{upstream=\"binance\",state=\"held\","
        "reason=\"status_429\"} 1764230400.250");
    HAS("trunkline_certificate_left_seconds{upstream=\"binance\"} 86400");
    HAS("trunkline_learned_idle_seconds{upstream=\"binance\"} 54.000");
    HAS("trunkline_weight_limit{upstream=\"binance\"} 6000");
    HAS("trunkline_clock_offset_seconds{upstream=\"binance\"} -7.3123");
    HAS("trunkline_clock_error_seconds{upstream=\"binance\"} 0.0912");
    HAS("trunkline_tunnels_bypassing_total{upstream=\"binance\"} 0");
}
END_TEST

/* Holds on several credentials with the same labels are one series, with the latest end. */
START_TEST(the_holds)
{
    make();
    HAS("trunkline_hold_seconds{upstream=\"binance\",held=\"public\",status=\"429\","
        "bot=\"a\\\"b\",path=\"/limited\"} 1.500");
    HAS("trunkline_hold_seconds{upstream=\"binance\",held=\"credential\",status=\"418\","
        "bot=\"\",path=\"\"} 0.070");
    ck_assert(!has("trunkline_hold_seconds{upstream=\"binance\",held=\"credential\",status=\"418\","
                   "bot=\"\",path=\"\"} 0.009"));
}
END_TEST

START_TEST(the_bots)
{
    struct bot *grid = bots_find(&bots, SPAN("grid1"));
    *grid = (struct bot){.name = "grid1", .requests = 90, .failed = 1, .weight = 120};
    make();
    HAS("trunkline_bot_requests_total{bot=\"grid1\"} 90");
    HAS("trunkline_bot_failures_total{bot=\"grid1\"} 1");
    HAS("trunkline_bot_weight_total{bot=\"grid1\"} 120");
    ck_assert_ptr_null(strstr(page.at, "bot=\"other\""));
}
END_TEST

/* A sum of pools has no state; a weight that was never seen and an error that never occurred
 * have no sample. */
START_TEST(what_is_not_known)
{
    make();
    ck_assert_ptr_null(strstr(page.at, "trunkline_upstream_state{upstream=\"other\""));
    static const char *const unknown[] = {
        "weight_used",          "weight_limit",
        "learned_idle_seconds", "certificate_left_seconds",
        "clock_offset_seconds", "hold_seconds",
        "address_connections",  "upstream_state_changed_timestamp_seconds"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        char line[100];
        snprintf(line, sizeof line, "trunkline_%s{upstream=\"other\"", unknown[i]);
        ck_assert_msg(strstr(page.at, line) == NULL, "%s", line);
    }
    ck_assert_ptr_null(strstr(page.at, "trunkline_request_errors_total{"));
    HAS("# TYPE trunkline_request_errors_total counter");
}
END_TEST

START_TEST(histograms)
{
    histogram_add(&counted.ttfb, 90);
    histogram_add(&counted.ttfb, 3000);
    histogram_add(&counted.ttfb, 3000);
    histogram_add(&counted.ttfb, 45000000);
    make();
    HAS("# TYPE trunkline_request_duration_seconds histogram");
#define BUCKET "trunkline_request_duration_seconds_bucket{upstream=\"binance\",phase=\"ttfb\",le="
    HAS(BUCKET "\"0.0001\"} 1");
    HAS(BUCKET "\"0.0025\"} 1");
    HAS(BUCKET "\"0.005\"} 3");
    HAS(BUCKET "\"30\"} 3");
    HAS(BUCKET "\"+Inf\"} 4");
#undef BUCKET
    HAS("trunkline_request_duration_seconds_sum{upstream=\"binance\",phase=\"ttfb\"} 45.006090");
    HAS("trunkline_request_duration_seconds_count{upstream=\"binance\",phase=\"ttfb\"} 4");
    HAS("trunkline_request_duration_seconds_count{upstream=\"binance\",phase=\"total\"} 0");
}
END_TEST

/* HELP and TYPE appear once, before the first sample of the family. */
START_TEST(families_stand_together)
{
    static char seen[100][80];
    size_t count = 0;
    make();
    char *rest = page.at, *line;
    while ((line = strsep(&rest, "\n")) && *line) {
        char name[80];
        if (sscanf(line, "# HELP %79s", name) == 1) {
            for (size_t i = 0; i < count; i++)
                ck_assert_str_ne(seen[i], name);
            memcpy(seen[count++], name, sizeof name);
        } else if (sscanf(line, "# TYPE %79s", name) == 1) {
            ck_assert_str_eq(seen[count - 1], name);
        } else {
            ck_assert_msg(strncmp(line, seen[count - 1], strlen(seen[count - 1])) == 0, "%s", line);
        }
    }
    ck_assert_uint_gt(count, 20);
}
END_TEST

START_TEST(labels_are_escaped)
{
    static const char *const cases[][2] = {
        {"", ""}, {"plain", "plain"}, {"a\"b\\c\nd", "a\\\"b\\\\c\\nd"}, {"\n", "\\n"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct text t = {0};
        text_add_str(&t, "");
        series_escape(&t, cases[i][0]);
        ck_assert_str_eq(t.at, cases[i][1]);
        text_free(&t);
    }
    rows[0].view.name = "a\"} 1\ntrunkline_forged{x=\"";
    make();
    HAS("trunkline_queue_waiting{upstream=\"a\\\"} 1\\ntrunkline_forged{x=\\\"\"} 5");
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(the_daemon);
    TEST(rows_of_the_table);
    TEST(what_has_no_row);
    TEST(the_process_and_its_files);
    TEST(the_standing_of_an_upstream);
    TEST(the_holds);
    TEST(the_bots);
    TEST(what_is_not_known);
    TEST(histograms);
    TEST(families_stand_together);
    TEST(labels_are_escaped);
}
