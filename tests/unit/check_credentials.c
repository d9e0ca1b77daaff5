/* Which requests are private, and that no secret survives redaction. */
#include <check.h>
#include <stdio.h>

#include "proxy/credentials.h"
#include "proxy_fixture.h"

static const char *header_names[] = {"Authent", "X-Nonce"};
static const char *param_names[] = {"signature", "listenKey", "sid"};
static const struct config_names headers = {header_names, COUNT_OF(header_names)};
static const struct config_names params = {param_names, COUNT_OF(param_names)};

START_TEST(names)
{
    static const char *const secret[] = {
        "X-MBX-APIKEY",  "api-key", "Signature",  "CB-ACCESS-SIGN", "csrfToken", "my_secret_",
        "AUTHORIZATION", "Author",  "Passphrase", "x-nonce",        "key"};
    static const char *const open[] = {"symbol", "",  "timestamp", "Host",
                                       "ke",     "y", "Nonce",     "pass"};
    for (size_t i = 0; i < COUNT_OF(secret); i++)
        ck_assert_msg(credential_name(&headers, span_of(secret[i])), "%s", secret[i]);
    for (size_t i = 0; i < COUNT_OF(open); i++)
        ck_assert_msg(!credential_name(&headers, span_of(open[i])), "%s", open[i]);
}
END_TEST

static bool is_private(const char *name, const char *path, const char *cert)
{
    struct arena *arena = arena_new();
    struct upstream_config u = {
        .cert_file = cert, .credential_headers = headers, .credential_params = params};
    struct fields fields = {0};
    fields_add(&fields, arena, SPAN("Host"), SPAN("h.test"));
    if (name)
        fields_add(&fields, arena, span_of(name), SPAN("v"));
    bool got = request_is_private(&u, &fields, span_of(path));
    arena_free(arena);
    return got;
}

START_TEST(requests)
{
    ck_assert(!is_private(NULL, "/a?symbol=BTC&limit=5", NULL));
    ck_assert(is_private(NULL, "/a", "client.pem"));
    ck_assert(is_private("Authorization", "/a", NULL));
    ck_assert(is_private("x-nonce", "/a", NULL));
    ck_assert(!is_private("Proxy-Authorization", "/a", NULL));
    ck_assert(!is_private("Accept", "/a", NULL));
    ck_assert(!is_private("Sec-WebSocket-Key", "/a", NULL));
    ck_assert(!is_private("sec-websocket-protocol", "/a", NULL));
    static const char *const secret[] = {
        "/a?signature=x",     "/a?b=1&SIGNATURE=x", "/a?sign%61ture=x", "/a?sid",
        "/a?s%69d=x",         "/a?b;sid=1",         "/a?&&sid=",        "/?apiKey=x",
        "/a?b=1&x%26token=1", "/a?b?key=1",
    };
    for (size_t i = 0; i < COUNT_OF(secret); i++)
        ck_assert_msg(is_private(NULL, secret[i], NULL), "%s", secret[i]);
    static const char *const open[] = {
        "/signature=x", "/a?b=signature", "/a?xsid=1",    "/a?s+id=1", "/a?", "/", "*",
        "/a?%",         "/a?%7",          "/a?s%2569d=x",
    };
    for (size_t i = 0; i < COUNT_OF(open); i++)
        ck_assert_msg(!is_private(NULL, open[i], NULL), "%s", open[i]);
}
END_TEST

static void redacts(const char *target, const char *expected)
{
    struct text out = {0};
    redact_target(&out, &params, span_of(target));
    text_add_str(&out, "");
    ck_assert_msg(strcmp(out.at, expected) == 0, "%s: got '%s', expected '%s'", target, out.at,
                  expected);
    text_free(&out);
}

START_TEST(plain_targets)
{
    redacts("/a?symbol=BTC&limit=5", "/a?symbol=BTC&limit=5");
    redacts("/a?symbol=BTC&signature=S3&b=1", "/a?symbol=BTC&signature=***&b=1");
    redacts("/a?SIGNATURE=S3", "/a?SIGNATURE=***");
    redacts("/a?signature=", "/a?signature=***");
    redacts("/a?signature=S3%26x=1&b", "/a?signature=***&b");
    redacts("/a?signature=S3=S3?S3/S3;S3&b", "/a?signature=***&b");
    redacts("/a?sign%61ture=S3", "/a?sign%61ture=***");
    redacts("/a?s%2569d=S3&xsid=1", "/a?s%2569d=***&xsid=1");
    redacts("/a?key;x=S3&b=1", "/a?key;x=***&b=1");
    redacts("/a?key?x=S3&b=1", "/a?key?x=***&b=1");
    redacts("/keys/a?symbol=BTC", "/keys/a?symbol=BTC");
    redacts("/nosuch/c?signature=S3", "/nosuch/c?signature=***");
    redacts("http://h.test/c?signature=S3&a=1", "http://h.test/c?signature=***&a=1");
    redacts("/a;sid=S3/b", "/a;sid=***");
    redacts("/a?si%6%37=S3", "/a?si%6%37=***");
    redacts("/a?x=100%&symbol=BTC", "/a?x=100%&symbol=BTC");
    redacts("", "");
    redacts("*", "*");
}
END_TEST

START_TEST(nested_targets)
{
    redacts("/https%3A%2F%2Fh%2Fb%3Fsignature%3DS3", "/https%3A%2F%2Fh%2Fb%3Fsignature%3D***");
    redacts("/https%3A%2F%2Fh%2Fb%3Fa%3D1%26signature%3DS3%26symbol%3DBTC",
            "/https%3A%2F%2Fh%2Fb%3Fa%3D1%26signature%3D***%26symbol%3DBTC");
    redacts("/https%3A%2F%2Fh%2Fb?a=1&signature=S3%26c", "/https%3A%2F%2Fh%2Fb?a=1&signature=***");
    redacts("/?url=https%3A%2F%2Fh%2Fb%3Fa%3D1%26signature%3DS3",
            "/?url=https%3A%2F%2Fh%2Fb%3Fa%3D1%26signature%3D***");
    redacts("/?url=https://h/b?a=1&signature=S3&c=2", "/?url=https://h/b?a=1&signature=***&c=2");
    redacts("/a?u=https%253A%252F%252Fh%253Fsid%253DS3%2526symbol%253DBTC&c=2",
            "/a?u=https%253A%252F%252Fh%253Fsid%253D***%2526symbol%253DBTC&c=2");
    redacts("/a?a%3Dkey=S3", "/a?a%3Dkey=***");
    redacts("/a?api%26key%26x=S3&b", "/a?api%26key%26x=***&b");
    redacts("/a?j={\"sid\":\"S3\"}&b=1", "/a?j={%22sid%22:***&b=1");
    redacts("/a?j=%7B%22api_key%22%3A%22S3%22%7D&b=1", "/a?j=%7B%22api_key%22%3A***&b=1");
}
END_TEST

START_TEST(userinfo_is_hidden)
{
    redacts("http://u:S3@h.test/a", "http://***@h.test/a");
    redacts("/https://S3@h.test/a", "/https://***@h.test/a");
    redacts("/https/u:S3@h.test/a", "/https/***@h.test/a");
    redacts("/https%3A%2F%2Fu%3AS3%40h.test%2F", "/https%3A%2F%2F***%40h.test%2F");
    redacts("/?url=https://u:S3@h.test/", "/?url=https://***@h.test/");
    redacts("u:S3@h.test:443", "***@h.test:443");
    redacts("/a@b/c?m=a@b", "/a@b/c?m=a@b");
}
END_TEST

START_TEST(a_log_line_cannot_be_forged)
{
    redacts("/a\"%0astatus=999", "/a%22%0astatus=999");
    redacts("/a b\n\r\t\\\x7f\xe2", "/a%20b%0A%0D%09%5C%7F%E2");
}
END_TEST

/* However deep it is encoded, and at any place in the target. */
START_TEST(deep_encodings)
{
    char target[4000] = "/a?x=1&signature=S3CRET";
    for (int depth = 0; depth < 14; depth++) {
        struct text out = {0};
        char next[4000] = "";
        size_t len = 0;
        redact_target(&out, &params, span_of(target));
        ck_assert_ptr_null(strstr(out.at, "S3CRET"));
        text_free(&out);
        for (const char *p = target; *p; p++)
            len += (size_t)snprintf(next + len, sizeof next - len,
                                    strchr("/?&=%", *p) ? "%%%02X" : "%c", *p);
        memcpy(target, next, sizeof target);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("credentials");
    TCase *t = tcase_create("all");
    tcase_add_test(t, names);
    tcase_add_test(t, requests);
    tcase_add_test(t, plain_targets);
    tcase_add_test(t, nested_targets);
    tcase_add_test(t, userinfo_is_hidden);
    tcase_add_test(t, a_log_line_cannot_be_forged);
    tcase_add_test(t, deep_encodings);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
