/* The input is the value of a field of a response: a date, Retry-After, a used weight, a Location, or
 * Cache-Control. Whatever is read of it is within its bounds, and a date that is written as it was
 * read is the same date. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "budget/reported_limit.h"
#include "budget/retry_after.h"
#include "cache/cache_policy.h"
#include "http/http_date.h"
#include "proxy/location.h"
#include "proxy/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_S INT64_C(1764230400)
#define YEAR_S (366 * 24 * 3600)

static void check_date(struct span value)
{
    char text[64];
    int64_t at_s, again_s;
    if (!http_date_read(value, NOW_S, &at_s))
        return;
    time_t t = (time_t)at_s;
    struct tm tm;
    CHECK(gmtime_r(&t, &tm) != NULL && tm.tm_year >= -1900 && tm.tm_year <= 9999 - 1900);
    size_t len = strftime(text, sizeof text, "%a, %d %b ", &tm);
    len += (size_t)snprintf(text + len, sizeof text - len, "%04d %02d:%02d:%02d GMT",
                            tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    CHECK(http_date_read((struct span){text, len}, NOW_S, &again_s) && again_s == at_s);
}

static void check_waits(struct span value)
{
    int64_t s = retry_after_s(value, NOW_S), weight;
    CHECK(s == RETRY_AFTER_NOT_TOLD || (s >= 0 && s <= YEAR_S));
    if (reported_weight(value, &weight))
        CHECK(weight >= 0);
}

static bool is_printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == 0x7f)
            return false;
    return true;
}

static void check_location(struct arena *arena, const struct config *c, struct span target,
                           struct span value)
{
    static const struct ingress ingress = {.client = "127.0.0.1:1234", .address = "127.0.0.1"};
    struct field host = {SPAN("host"), SPAN("localhost")};
    struct request q = {
        .method = SPAN("GET"), .minor = 1, .arena = arena, .target = target, .fields = {&host, 1}};
    struct route r;
    route_request(c, &ingress, &q, &r);
    CHECK(r.kind == ROUTE_UPSTREAM);
    for (int is_private = 0; is_private < 2; is_private++) {
        struct span to = location_rewrite(arena, c, &r, is_private, value);
        CHECK(to.len <= value.len + 64);
        CHECK(is_printable(to) || !is_printable(value));
    }
}

/* What may be stored may be shared. */
static void check_caching(struct span value)
{
    struct field fields[] = {{SPAN("cache-control"), value}, {SPAN("vary"), value}};
    for (size_t first = 0; first < 2; first++)
        for (size_t count = 1; first + count <= 2; count++) {
            struct response r = {.status = 200, .minor = 1, .fields = {fields + first, count}};
            CHECK(!cache_policy_stores(&r) || cache_policy_permits(&r));
        }
}

static void complain(void *context, const char *message)
{
    (void)context;
    fprintf(stderr, "%s\n", message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span value = {(const char *)data, size};
    static const char text[] = "upstream a {\nurl = \"https://a.test\"\n}\n"
                               "upstream b {\nurl = \"https://b.test:8443\"\n}\n";
    static struct config *config;
    if (config == NULL)
        config = config_parse("values.conf", text, strlen(text), complain, NULL);
    CHECK(config != NULL);
    struct arena *arena = arena_new();
    check_date(value);
    check_waits(value);
    check_location(arena, config, SPAN("/a/x"), value);
    check_location(arena, config, SPAN("/https://a.test/x"), value);
    check_location(arena, config, SPAN("http://b.test:8443/x"), value);
    check_caching(value);
    arena_free(arena);
    return 0;
}
