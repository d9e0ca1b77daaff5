/* Requests the best bid and ask of several exchanges, concurrently through trunkline, and
 * prints what could be bought at one exchange and sold at another with a profit after both
 * fees. An example: it sends no orders. */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "examples/poller.h"
#include "examples/report.h"

#define GIVEN_MAX 64
#define OPPORTUNITIES_MAX 32
#define GRACE_MS 100 /* so that libcurl's own timeout comes first */
#define CLEAR_SCREEN "\033[H\033[2J"

struct scanner {
    const char *proxy;
    unsigned timeout_ms, max_age_ms, every_ms; /* every_ms 0: scan once */
    unsigned long looks;                       /* scans to make; 0: no limit */
    bool json;
    struct decimal least_percent;
    const char *fees[GIVEN_MAX], *aliases[GIVEN_MAX]; /* "NAME=VALUE", as given */
    size_t fee_count, alias_count;
    struct venue *venues;
    struct poller *pollers;
    size_t count;
    CURLM *multi;
};

static const char usage[] =
    "Usage: arbscan [OPTION…] EXCHANGE[@UPSTREAM]:SYMBOL…\n"
    "Finds assets that are cheaper at one exchange than at another, net of fees.\n"
    "  EXCHANGE   binance, kraken or coinbase: the API to use\n"
    "  UPSTREAM   the upstream in trunkline's configuration; default: the exchange's host\n"
    "  SYMBOL     the pair as the exchange writes it: BTCUSDT, XBTUSD, BTC-USD\n"
    "\n"
    "  --proxy URL         address of trunkline (http://127.0.0.1:8642)\n"
    "  --fee NAME=PERCENT  taker fee (binance 0.1, kraken 0.4, coinbase 0.6)\n"
    "  --same USDT=USD     treat the first asset as the second\n"
    "  --least PERCENT     minimum profit to show (0)\n"
    "  --timeout MS        time limit for the response of an exchange (1000)\n"
    "  --max-age MS        maximum age of a quote (3000)\n"
    "  --watch[=SECONDS]   repeat the scan at this interval (1)\n"
    "  --count N           with --watch: exit after N scans\n"
    "  --json              print one line of JSON per scan instead of a table\n";

/* ------------------------------------------------------------------- arguments */

static bool misused(const char *what, const char *which)
{
    fprintf(stderr, "arbscan: %s '%s'; see arbscan --help\n", what, which);
    return false;
}

/* A positive number with up to three decimals, times 1000. */
static bool read_thousandths(const char *text, unsigned *to)
{
    struct decimal d, thousand = {1000, 0};
    if (!decimal_read(span_of(text), &d) || !decimal_multiply(d, thousand, &d))
        return false;
    d = decimal_floor(d, 0);
    *to = (unsigned)d.units;
    return d.units > 0 && d.units < 86400 * 1000;
}

static bool read_ms(const char *text, unsigned *to)
{
    struct decimal d;
    if (!decimal_read(span_of(text), &d) || d.places)
        return false;
    *to = (unsigned)d.units;
    return d.units > 0 && d.units < 86400 * 1000;
}

static bool keep(const char **kept, size_t *count, const char *text)
{
    if (*count == GIVEN_MAX || strchr(text, '=') == NULL)
        return false;
    kept[(*count)++] = text;
    return true;
}

static bool read_option(struct scanner *s, int found)
{
    struct decimal number;
    switch (found) {
    case 'p': s->proxy = optarg; return true;
    case 'f': return keep(s->fees, &s->fee_count, optarg);
    case 's': return keep(s->aliases, &s->alias_count, optarg);
    case 'l': return decimal_read(span_of(optarg), &s->least_percent);
    case 't': return read_ms(optarg, &s->timeout_ms);
    case 'm': return read_ms(optarg, &s->max_age_ms);
    case 'w': return read_thousandths(optarg ? optarg : "1", &s->every_ms);
    case 'c':
        if (!decimal_read(span_of(optarg), &number) || number.places || number.units <= 0)
            return false;
        s->looks = (unsigned long)number.units;
        return true;
    default: s->json = true; return true;
    }
}

/* The fee given as "NAME=PERCENT", otherwise the default fee of the exchange. */
static bool find_fee(const struct scanner *s, struct venue *v)
{
    struct span fee = span_of(v->kind->fee);
    for (size_t i = 0; i < s->fee_count; i++) {
        struct span given = span_of(s->fees[i]);
        size_t equals = span_find(given, '=');
        if (span_is(span_first(given, equals), span_of(v->name)))
            fee = span_from(given, equals + 1);
    }
    return decimal_read(fee, &v->fee) && v->fee.places <= 6 && decimal_sign(v->fee) >= 0;
}

/* A fee for a name that is not used is probably a typing error, and could be costly. */
static const char *find_idle_fee(const struct scanner *s)
{
    for (size_t i = 0; i < s->fee_count; i++) {
        struct span given = span_of(s->fees[i]);
        struct span name = span_first(given, span_find(given, '='));
        bool used = false;
        for (size_t k = 0; k < s->count; k++)
            used |= span_is(name, span_of(s->venues[k].name));
        if (!used)
            return s->fees[i];
    }
    return NULL;
}

/* "EXCHANGE[@UPSTREAM]:SYMBOL". */
static bool read_venue(struct scanner *s, const char *text, struct venue *v, struct poller *a)
{
    struct span all = span_of(text);
    size_t colon = span_find(all, ':');
    struct span where = span_first(all, colon), symbol = span_from(all, colon + 1);
    size_t at = span_find(where, '@');
    struct span kind = span_first(where, at), upstream = span_from(where, at + 1);
    *v = (struct venue){.kind = exchange_find(kind), .symbol = symbol};
    if (v->kind == NULL)
        return misused("no known exchange in", text);
    if (!pair_read(symbol, &v->quote.pair) || span_find(symbol, '/') < symbol.len)
        return misused("invalid symbol in", text);
    snprintf(v->name, sizeof v->name, "%.*s", SPAN_ARG(upstream.len ? upstream : kind));
    if (!find_fee(s, v))
        return misused("invalid fee for", v->name);
    struct text base = {0};
    text_printf(&base, "%s/%s%s", s->proxy, upstream.len ? "" : "https://",
                upstream.len ? v->name : v->kind->host);
    poller_init(a, v, base.at, s->timeout_ms);
    text_free(&base);
    return true;
}

static bool read_venues(struct scanner *s, int count, char **given)
{
    s->venues = must_calloc((size_t)count, sizeof *s->venues);
    s->pollers = must_calloc((size_t)count, sizeof *s->pollers);
    for (; s->count < (size_t)count; s->count++)
        if (!read_venue(s, given[s->count], &s->venues[s->count], &s->pollers[s->count]))
            return false;
    const char *idle = find_idle_fee(s);
    return idle == NULL || misused("--fee for an exchange that is not given:", idle);
}

static const struct option names[] = {
    {"proxy", required_argument, NULL, 'p'},
    {"fee", required_argument, NULL, 'f'},
    {"same", required_argument, NULL, 's'},
    {"least", required_argument, NULL, 'l'},
    {"timeout", required_argument, NULL, 't'},
    {"max-age", required_argument, NULL, 'm'},
    {"watch", optional_argument, NULL, 'w'},
    {"count", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* An exit code, or -1 to continue. */
static int read_arguments(struct scanner *s, int argc, char **argv)
{
    int found, index = 0;
    while ((found = getopt_long(argc, argv, "", names, &index)) != -1) {
        if (found == '?') /* getopt has printed the reason */
            return EX_USAGE;
        if (found == 'h')
            return printf("%s", usage) < 0 ? EX_IOERR : EX_OK;
        if (!read_option(s, found)) {
            misused("invalid value", optarg);
            return EX_USAGE;
        }
    }
    if (optind == argc) {
        misused("no exchange is given", "");
        return EX_USAGE;
    }
    return read_venues(s, argc - optind, argv + optind) ? -1 : EX_USAGE;
}

/* --------------------------------------------------------------------- scanning */

static void replace_aliases(const struct scanner *s, struct pair *p)
{
    for (size_t i = 0; i < s->alias_count; i++) {
        char from[PAIR_ASSET_SIZE];
        struct span given = span_of(s->aliases[i]);
        size_t equals = span_find(given, '=');
        snprintf(from, sizeof from, "%.*s", (int)equals, given.at);
        pair_replace(p, from, given.at + equals + 1);
    }
}

static void print(const struct scanner *s, const struct text *page)
{
    if (s->every_ms && !s->json && isatty(STDOUT_FILENO))
        fputs(CLEAR_SCREEN, stdout);
    fwrite(page->at, 1, page->len, stdout);
    if (s->every_ms && !s->json)
        putchar('\n');
    fflush(stdout);
}

static void report(const struct scanner *s)
{
    struct opportunity found[OPPORTUNITIES_MAX];
    struct timespec now;
    struct text page = {0};
    for (size_t i = 0; i < s->count; i++) {
        poller_judge(&s->pollers[i], s->max_age_ms);
        replace_aliases(s, &s->venues[i].quote.pair);
    }
    struct findings f = {
        .venues = s->venues,
        .venue_count = s->count,
        .opportunities = found,
        .opportunity_count = scan(s->venues, s->count, s->least_percent, found, OPPORTUNITIES_MAX),
    };
    clock_gettime(CLOCK_REALTIME, &now);
    if (s->json)
        report_json(&f, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, &page);
    else
        report_table(&f, &page);
    print(s, &page);
    text_free(&page);
}

static void collect(struct scanner *s)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(s->multi, &left)) != NULL) {
        void *poller;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &poller);
        poller_finish(poller, s->multi, result);
    }
}

/* An exchange that failed the last time is not waited for. */
static bool is_any_awaited(const struct scanner *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->pollers[i].asking && s->venues[i].state != VENUE_FAILED)
            return true;
    return false;
}

/* Runs the requests in progress until that time, or until all that are awaited have finished. */
static void run_until(struct scanner *s, uint64_t until_ms, bool or_answered)
{
    int running;
    for (;;) {
        curl_multi_perform(s->multi, &running);
        collect(s);
        uint64_t now = now_ms();
        if (now >= until_ms || (or_answered && !is_any_awaited(s)))
            return;
        uint64_t wait = until_ms - now;
        curl_multi_poll(s->multi, NULL, 0, wait < 1000 ? (int)wait : 1000, NULL);
    }
}

/* Each exchange is requested independently: one that has not responded yet is not requested
 * again, and does not delay the others. */
static void ask_all(struct scanner *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (!s->pollers[i].asking)
            poller_start(&s->pollers[i], s->multi);
}

static bool has_answer(const struct scanner *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->venues[i].answered)
            return true;
    return false;
}

static int look(struct scanner *s)
{
    uint64_t next = now_ms();
    for (unsigned long n = 1;; n++) {
        uint64_t patience = now_ms() + s->timeout_ms + GRACE_MS;
        next += s->every_ms;
        ask_all(s);
        run_until(s, s->every_ms && next < patience ? next : patience, true);
        report(s);
        if (ferror(stdout))
            return EX_IOERR;
        if (s->every_ms == 0 || n == s->looks)
            break;
        run_until(s, next, false);
    }
    return has_answer(s) ? EX_OK : EX_UNAVAILABLE;
}

static void clear(struct scanner *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->pollers[i].asking)
            curl_multi_remove_handle(s->multi, s->pollers[i].easy);
        poller_clear(&s->pollers[i]);
    }
    curl_multi_cleanup(s->multi);
    curl_global_cleanup();
    free(s->pollers);
    free(s->venues);
}

int main(int argc, char **argv)
{
    struct scanner s = {
        .proxy = "http://127.0.0.1:8642",
        .timeout_ms = 1000,
        .max_age_ms = 3000,
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    s.multi = curl_multi_init();
    int exit_code = read_arguments(&s, argc, argv);
    if (exit_code < 0)
        exit_code = look(&s);
    clear(&s);
    return exit_code;
}
