/* The /metrics page, over views made by the test. */
#include "pages/metrics.h"

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
    rows[0].view = (struct pool_view){.name = "binance",
                                      .state = "held",
                                      .idle = 4,
                                      .active = 2,
                                      .connecting = 1,
                                      .waiting = 5,
                                      .requests = 7,
                                      .tunnels = 6,
                                      .gate = {3, 2, 4980, 1500},
                                      .stats = &counted};
    rows[1].view =
        (struct pool_view){.name = "other", .gate = {.weight_used = -1}, .stats = &untouched};
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

#define HAS(line) ck_assert_msg(has(line), "no line %s in\n%s", line, page.at)

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
    ck_assert_ptr_null(strstr(page.at, "trunkline_weight_used{upstream=\"other\""));
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
        metrics_escape(&t, cases[i][0]);
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
    TEST(the_bots);
    TEST(what_is_not_known);
    TEST(histograms);
    TEST(families_stand_together);
    TEST(labels_are_escaped);
}
