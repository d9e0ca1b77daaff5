/* The input is any request target. Either it is rejected with a message, or it names an origin and
 * a path whose bytes are those of the client, decoded at most once. No secret survives
 * redaction. However it is spelled, a request that places an order passes no freeze. */
#include <ctype.h>

#include "http/target.h"
#include "proxy/order_rules.h"
#include "proxy/redact.h"

#define SECRET "S3CRETVALUE"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ends_with(struct span s, struct span tail)
{
    return s.len >= tail.len && span_is(span_from(s, s.len - tail.len), tail);
}

static struct span decoded_once(struct arena *arena, struct span s)
{
    char *to = arena_alloc(arena, s.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        bool escape = s.at[i] == '%' && i + 2 < s.len && isxdigit((unsigned char)s.at[i + 1]) &&
                      isxdigit((unsigned char)s.at[i + 2]);
        char digits[3] = {escape ? s.at[i + 1] : '\0', escape ? s.at[i + 2] : '\0'};
        to[len++] = escape ? (char)strtol(digits, NULL, 16) : s.at[i];
        i += escape ? 2 : 0;
    }
    return (struct span){to, len};
}

static void check_host(struct span host)
{
    CHECK(host.len > 0 && host.len <= 253 && host.at[host.len - 1] != '.');
    for (size_t i = 0; i < host.len; i++)
        CHECK(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.:", host.at[i]));
}

static void check_target(struct arena *arena, struct span method, struct span target)
{
    struct target t;
    struct verdict why = {0};
    if (!target_parse(arena, method, target, &t, &why)) {
        CHECK(why.error == FAILURE_HTTP_REQUEST_ERROR && why.detail[0]);
        return;
    }
    CHECK(t.path.len > 0 && target_is_clean(t.path));
    CHECK(t.path.at[0] == '/' || span_is(t.path, SPAN("*")));
    if (t.form != TARGET_ORIGIN && t.form != TARGET_ASTERISK) {
        check_host(t.origin.host);
        CHECK(t.origin.port > 0);
    }
    if (t.form == TARGET_AUTHORITY || t.path.len == 1)
        return;
    struct span tail = t.path.at[1] == '?' ? span_from(t.path, 1) : t.path;
    bool encoded = t.form == TARGET_ENCODED || t.form == TARGET_PARAMETER;
    struct span once = decoded_once(arena, target);
    CHECK(ends_with(target, tail) ||
          (encoded && (ends_with(once, tail) || ends_with(span_first(once, once.len - 1), tail))));
}

/* Checks that an authority and its normalized spelling give the same result. */
static void check_authority(struct arena *arena, struct span text)
{
    struct origin a, b = {.secure = true};
    struct span rest;
    if (authority_parse(arena, text, &b.host, &b.port, &b.is_ip)) {
        check_host(b.host);
        uint16_t port = b.port ? b.port : 443;
        b.port = port;
        struct span again = origin_authority(arena, &b, true);
        CHECK(authority_parse(arena, again, &a.host, &a.port, &a.is_ip));
        CHECK(span_is(a.host, b.host) && a.port == port && a.is_ip == b.is_ip);
    }
    if (origin_parse(arena, text, &a, &rest)) {
        check_host(a.host);
        CHECK(ends_with(text, rest) && a.port > 0);
    }
}

static void check_redaction(struct span target, bool has_secret)
{
    static const char *names[] = {"signature", "sid"};
    static const struct config_names params = {names, 2};
    struct text out = {0};
    void (*const redact[])(struct text *, const struct config_names *,
                           struct span) = {redact_target, redact_unrouted};
    for (size_t k = 0; k < 2; k++) {
        text_clear(&out);
        redact[k](&out, &params, target);
        for (size_t i = 0; i < out.len; i++)
            CHECK(out.at[i] > ' ' && out.at[i] < 0x7f && out.at[i] != '"' && out.at[i] != '\\');
        CHECK(!has_secret || out.len == 0 || strstr(out.at, SECRET) == NULL);
    }
    text_free(&out);
}

static bool holds_secret(struct span s)
{
    return s.len && memmem(s.at, s.len, SECRET, strlen(SECRET));
}

/* The input around a secret, both unencoded and encoded. */
static void check_hiding(struct span before, const char *secret, struct span after)
{
    struct text plain = {0}, encoded = {0};
    text_add(&plain, before);
    text_add_str(&plain, secret);
    text_add(&plain, after);
    text_add_str(&encoded, "/?url=");
    for (size_t i = 0; i < plain.len; i++) {
        unsigned char c = (unsigned char)plain.at[i];
        if (isalnum(c))
            text_add(&encoded, (struct span){plain.at + i, 1});
        else
            text_printf(&encoded, "%%%02X", c);
    }
    bool once = !holds_secret(before) && !holds_secret(after);
    check_redaction(text_span(&plain), once);
    check_redaction(text_span(&encoded), once);
    text_free(&plain);
    text_free(&encoded);
}

/* The input before the path of an order, which a server may read as that path. */
static void check_orders(struct arena *arena, struct span before)
{
    static const char *orders[] = {"/order", "GET /buy"}, *reads[] = {"/", "POST /read"};
    static const struct upstream_config u = {.order_paths = {orders, 2}, .read_paths = {reads, 2}};
    char *path = arena_printf(arena, "/%.*s/../../../buy", SPAN_ARG(before));
    bool hides = memchr(before.at, '/', before.len) || memchr(before.at, '?', before.len) ||
                 memchr(before.at, '%', before.len) || memchr(before.at, '\\', before.len) ||
                 memchr(before.at, '\0', before.len);
    CHECK(hides || !order_passes_freeze(&u, SPAN("GET"), span_of(path)));
    static const char *const methods[] = {"GET", "POST", "DELETE", "PURGE"};
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        struct span method = span_of(methods[i]);
        if (order_class(&u, method, before) == ORDER_PLACES)
            CHECK(order_is_accounted(&u, method, before) &&
                  !order_passes_freeze(&u, method, before));
    }
    if (span_starts_nocase(before, SPAN("/order")))
        CHECK(!order_passes_freeze(&u, SPAN("POST"), before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct span s = {(const char *)data, size};
    check_target(arena, SPAN("GET"), s);
    check_target(arena, SPAN("OPTIONS"), s);
    check_target(arena, SPAN("CONNECT"), s);
    check_authority(arena, s);
    check_redaction(s, false);
    struct span before = span_first(s, size / 2), after = span_from(s, size / 2);
    check_hiding(before, "&signature=" SECRET "&", after);
    check_hiding(before, "&x_JWT_=" SECRET "&", after);
    check_hiding(before, "/v2/" SECRET "0123456789abcdefABCDEF/", after);
    check_hiding(before, "/bot12:" SECRET "/", after);
    check_hiding(before, "/a/ws/" SECRET "/", after);
    if (size)
        check_orders(arena, s);
    arena_free(arena);
    return 0;
}
