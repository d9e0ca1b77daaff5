/* Which field and parameter names are those of credentials, and which requests are private. */
#include "proxy/credentials.h"
#include "proxy_fixture.h"
#include "suite.h"

static const char *header_names[] = {"Authent", "X-Nonce"};
static const char *param_names[] = {"signature", "listenKey", "sid"};
static const struct config_names headers = {.at = header_names, .count = COUNT_OF(header_names)};
static const struct config_names params = {.at = param_names, .count = COUNT_OF(param_names)};

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

SUITE()
{
    TEST(names);
    TEST(requests);
}
