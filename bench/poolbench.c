/* Measures what the pool saves: sends the same requests in four ways, sequentially and
 * concurrently: (a) on a new TLS connection each, like a short-lived script; (b) on a client's
 * own persistent connections; (c) through trunkline, on a new client connection each; (d)
 * through trunkline, on persistent client connections. Without a URL it uses the demo exchange,
 * which scripts/bench sets up. */
#include <curl/curl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "bench/load.h"
#include "bench/meters.h"

static const struct way {
    const char *key, *title;
    bool proxied, fresh;
} ways[] = {
    {"direct_new", "new TLS per request", false, true},
    {"direct_kept", "own keep-alive", false, false},
    {"trunkline_new", "trunkline, new client", true, true},
    {"trunkline_kept", "trunkline, keep-alive", true, false},
};

struct bench {
    const char *url, *connect_to, *ca_file;
    struct meters meters;
    unsigned requests, clients;
    bool json;
    struct text proxied_url;
};

struct row {
    const struct way *way;
    unsigned clients;
    struct load_result load;
    struct reading before, after;
};

#define ROWS_MAX (2 * COUNT_OF(ways))

static const char usage[] =
    "Usage: poolbench [OPTION…] [URL]\n"
    "Requests an https URL in four ways, with and without trunkline, and compares them.\n"
    "Without a URL, uses the demo exchange (scripts/bench).\n"
    "  -n N               number of requests of each way (200)\n"
    "  -c N               number of concurrent clients, in addition to a run with one (16)\n"
    "  --proxy URL        address of trunkline (http://127.0.0.1:8642)\n"
    "  --connect-to H:P   without trunkline, connect here instead of the host in the URL\n"
    "  --cacert FILE      trust anchors for the connections without trunkline\n"
    "  --counts FILE      the handshakes counted by the origin: NAME HANDSHAKES REQUESTS\n"
    "  --json             print JSON instead of a table\n";

/* ------------------------------------------------------------------- arguments */

static int misused(const char *what, const char *which)
{
    fprintf(stderr, "poolbench: %s '%s'; see poolbench --help\n", what, which);
    return EX_USAGE;
}

static bool read_count(const char *text, unsigned *to)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *to = (unsigned)n;
    return *end == '\0' && text[0] != '-' && n > 0 && n <= 1000000;
}

/* An exit code, or -1 to continue. */
static int read_option(struct bench *b, int found)
{
    switch (found) {
    case 'n': return read_count(optarg, &b->requests) ? -1 : misused("invalid number", optarg);
    case 'c': return read_count(optarg, &b->clients) ? -1 : misused("invalid number", optarg);
    case 'p': b->meters.proxy = optarg; return -1;
    case 't': b->connect_to = optarg; return -1;
    case 'a': b->ca_file = optarg; return -1;
    case 'o': b->meters.counts = optarg; return -1;
    case 'j': b->json = true; return -1;
    case 'h': return printf("%s", usage) < 0 ? EX_IOERR : EX_OK;
    default: return EX_USAGE; /* getopt_long has printed the reason */
    }
}

static int read_arguments(struct bench *b, int argc, char **argv)
{
    static const struct option names[] = {{"proxy", required_argument, NULL, 'p'},
                                          {"connect-to", required_argument, NULL, 't'},
                                          {"cacert", required_argument, NULL, 'a'},
                                          {"counts", required_argument, NULL, 'o'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int found, exit_code = -1;
    while (exit_code < 0 && (found = getopt_long(argc, argv, "n:c:", names, NULL)) != -1)
        exit_code = read_option(b, found);
    if (exit_code >= 0)
        return exit_code;
    b->url = argv[optind];
    if (b->url && argv[optind + 1])
        return misused("unexpected argument", argv[optind + 1]);
    if (b->url && strncmp(b->url, "https://", 8) != 0)
        return misused("not an https URL:", b->url);
    return -1;
}

/* scripts/bench runs this program again, with a URL. */
static int run_demo(char **argv)
{
    char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    setenv("POOLBENCH", self, 1);
    argv[0] = (char *)(uintptr_t)DEMO_SCRIPT;
    execv(argv[0], argv);
    fprintf(stderr, "poolbench: %s: %m\n", argv[0]);
    return EX_OSFILE;
}

/* ------------------------------------------------------------------- measuring */

/* trunkline gets "https://HOST/PATH" in its prefix form. */
static bool measure(const struct bench *b, struct row *r)
{
    char error[200];
    const struct way *w = r->way;
    struct load load = {
        .url = w->proxied ? b->proxied_url.at : b->url,
        .connect_to = w->proxied ? NULL : b->connect_to,
        .ca_file = w->proxied ? NULL : b->ca_file,
        .fresh = w->fresh,
        .requests = b->requests,
        .clients = r->clients,
    };
    bool good = meters_read(&b->meters, true, &r->before, error, sizeof error);
    if (good)
        load_run(&load, &r->load);
    good = good && meters_read(&b->meters, false, &r->after, error, sizeof error);
    if (!good)
        fprintf(stderr, "poolbench: %s: %s\n", b->meters.proxy, error);
    return good;
}

/* As counted by the origin if known, otherwise by the client or trunkline. */
static uint64_t handshakes_of(const struct row *r)
{
    if (r->before.has_origin && r->after.has_origin)
        return r->after.origin_handshakes - r->before.origin_handshakes;
    return r->way->proxied ? r->after.proxy_handshakes - r->before.proxy_handshakes
                           : r->load.connections;
}

/* Only requests that pass through trunkline use its processor time. */
static bool has_cpu(const struct row *r)
{
    return r->way->proxied && r->before.has_cpu && r->after.has_cpu;
}

static double cpu_s(const struct row *r)
{
    return (double)(r->after.cpu_ns - r->before.cpu_ns) / 1e9;
}

static double ms(const struct row *r, double share)
{
    return (double)histogram_percentile(&r->load.latency, share) / 1000;
}

static double rate(const struct row *r)
{
    return (double)r->load.latency.count * 1e6 / (double)(r->load.wall_us ? r->load.wall_us : 1);
}

/* -------------------------------------------------------------------- reporting */

static void print_table(const struct bench *b, const struct row *rows, size_t count)
{
    printf("%u requests each, %s\n%-22s %7s %9s %8s %8s %10s %11s %12s\n", b->requests, b->url,
           "way", "clients", "median ms", "p99 ms", "per s", "handshakes", "proxy CPU s",
           "client CPU s");
    for (size_t i = 0; i < count; i++) {
        const struct row *r = &rows[i];
        char cpu[24] = "-";
        if (has_cpu(r))
            snprintf(cpu, sizeof cpu, "%.3f", cpu_s(r));
        printf("%-22s %7u %9.2f %8.2f %8.0f %10" PRIu64 " %11s %12.3f\n", r->way->title, r->clients,
               ms(r, 0.5), ms(r, 0.99), rate(r), handshakes_of(r), cpu,
               (double)r->load.client_cpu_us / 1e6);
    }
}

static json_t *row_json(const struct bench *b, const struct row *r)
{
    bool by_origin = r->before.has_origin && r->after.has_origin;
    return json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:I, s:s, s:o, s:f}", "way",
                     r->way->key, "clients", (int)r->clients, "requests", (int)b->requests,
                     "errors", (int)r->load.errors, "median_ms", ms(r, 0.5), "p99_ms", ms(r, 0.99),
                     "max_ms", (double)r->load.latency.max_us / 1000, "per_s", rate(r),
                     "handshakes", (json_int_t)handshakes_of(r), "handshakes_counted_by",
                     by_origin         ? "origin"
                     : r->way->proxied ? "trunkline"
                                       : "client",
                     "proxy_cpu_s", has_cpu(r) ? json_real(cpu_s(r)) : json_null(), "client_cpu_s",
                     (double)r->load.client_cpu_us / 1e6);
}

static void print_json(const struct bench *b, const struct row *rows, size_t count)
{
    json_t *o = json_object(), *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, row_json(b, &rows[i]));
    json_object_set_new(o, "url", json_string(b->url));
    json_object_set_new(o, "runs", all);
    json_dumpf(o, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(o);
}

static int report(const struct bench *b, const struct row *rows, size_t count)
{
    int exit_code = EX_OK;
    if (b->json)
        print_json(b, rows, count);
    else
        print_table(b, rows, count);
    for (size_t i = 0; i < count; i++) {
        const struct load_result *l = &rows[i].load;
        if (l->errors) {
            fprintf(stderr, "poolbench: %s (clients: %u): %u requests failed, the first with: %s\n",
                    rows[i].way->title, rows[i].clients, l->errors, l->error);
            exit_code = 1;
        }
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? exit_code : EX_IOERR;
}

static int run(struct bench *b)
{
    struct row rows[ROWS_MAX] = {0};
    size_t count = 0, levels = b->clients > 1 ? 2 : 1;
    int exit_code = EX_UNAVAILABLE;
    text_printf(&b->proxied_url, "%s/%s", b->meters.proxy, b->url);
    while (count < levels * COUNT_OF(ways)) {
        struct row *r = &rows[count++];
        r->way = &ways[(count - 1) % COUNT_OF(ways)];
        r->clients = count > COUNT_OF(ways) ? b->clients : 1;
        if (!measure(b, r))
            goto out;
    }
    exit_code = report(b, rows, count);
out:
    for (size_t i = 0; i < count; i++)
        load_result_clear(&rows[i].load);
    text_free(&b->proxied_url);
    return exit_code;
}

int main(int argc, char **argv)
{
    struct bench b = {
        .meters.proxy = "http://127.0.0.1:8642",
        .requests = 200,
        .clients = 16,
    };
    int exit_code = read_arguments(&b, argc, argv);
    if (exit_code >= 0)
        return exit_code;
    if (b.url == NULL)
        return run_demo(argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    exit_code = run(&b);
    curl_global_cleanup();
    return exit_code;
}
