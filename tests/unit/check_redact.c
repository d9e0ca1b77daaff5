/* No secret in a target survives redaction, and everything else stays readable. */
#include <stdio.h>

#include "proxy/redact.h"
#include "suite.h"

static const char *param_names[] = {"signature", "listenKey", "sid"};
static const struct config_names params = {.at = param_names, .count = COUNT_OF(param_names)};

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
    redacts("/a?assignment=1&passive=1&Session_ID=S3",
            "/a?assignment=***&passive=***&Session_ID=***");
    redacts("/a?sig=S3&x=1&hmac=S3", "/a?sig=***&x=1&hmac=***");
    redacts("/a?jwt=S3&password=S3", "/a?jwt=***&password=***");
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
    redacts("/https/S3@h.test/x", "/https/***@h.test/x");
    redacts("/HTTP/S3@h.test/x", "/HTTP/***@h.test/x");
    redacts("S3@h.test:443", "***@h.test:443");
    redacts("/https://u:%40S3@h.test/x", "/https://***@h.test/x");
    redacts("http://u:S3@S3%40@h.test/x?m=a@b", "http://***@h.test/x?m=a@b");
    redacts("https://u:S3==&S3=@h.test/", "https://***@h.test/");
    redacts("/a@b/c?m=a@b", "/a@b/c?m=a@b");
}
END_TEST

#define TOKEN "pqia91ma19as5s61cv6a81va65sdf19v8a65a1q7"

START_TEST(segments_are_hidden)
{
    redacts("/ws/" TOKEN, "/ws/***");
    redacts("/WS/short", "/WS/***");
    redacts("/a/ws/short/more?x=1", "/a/ws/***/***?x=1");
    redacts("/a%2Fws%2fshort%2Fx", "/a%2Fws%2f***%2F***");
    redacts("/ws/btcusdt@trade/short", "/ws/btcusdt@trade/***");
    redacts("/ws/btcusdt@trade?x=1", "/ws/btcusdt@trade?x=1");
    redacts("/ws", "/ws");
    redacts("/ws/", "/ws/");
    redacts("/stream/short", "/stream/***");
    redacts("/stream?streams=btcusdt@trade/short&b=1", "/stream?streams=btcusdt@trade/***&b=1");
    redacts("/stream?streams=short", "/stream?streams=***");
    redacts("/?url=https%3A%2F%2Fh%2Fws%2Fshort%3Fa%3D1",
            "/?url=https%3A%2F%2Fh%2Fws%2F***%3Fa%3D1");
    redacts("/v2/" TOKEN "/x", "/v2/***/x");
    redacts("/v2/" TOKEN, "/v2/***");
    redacts("/v2/%70" TOKEN, "/v2/***");
    redacts("http://exchange.test/ws/" TOKEN, "http://exchange.test/ws/***");
    redacts("/bot123456:S3/sendMessage?text=a", "/bot123456:***/sendMessage?text=a");
    redacts("/bot123456%3AS3/sendMessage", "/bot123456%3A***/sendMessage");
    redacts("/https://api.test/BOT1:S3", "/https://api.test/BOT1:***");
}
END_TEST

START_TEST(what_is_no_secret_is_shown)
{
    static const char *const shown[] = {
        "/api/v3/ticker?symbol=BTCUSDT",
        "/orders/0b5d6a0e-4f0c-4b6e-9c39-3f1de1a0a0f7",
        "/orders/0B5D6A0E-4F0C-4B6E-9C39-3F1DE1A0A0F7/fills",
        "/api/v3/exchangeInformationOfAllTheSymbols", /* letters alone */
        "/trades/123456789012345678901234567890123456",
        "/order?newClientOrderId=x-abcdef0123456789abcdef0123456789",
        "/a?next=/b/c",
        "/robot12:34/bots:5/bot:6",
        "/a:bot12:34/bot1x:bot2:3", /* a bot's is the first colon of its segment */
        "/https://a-long-name-of-a-host-1234567890.example.test/",
    };
    for (size_t i = 0; i < COUNT_OF(shown); i++)
        redacts(shown[i], shown[i]);
}
END_TEST

START_TEST(an_unknown_first_segment)
{
    static const char *const rows[][2] = {
        {"/abcdefghijklmnopq/x?y=1", "/***/x?y=1"},
        {"/abcdefghijklmnop/x", "/abcdefghijklmnop/x"},
        {"/abcdefghijklmnopq", "/***"},
        {"/a/abcdefghijklmnopq", "/a/abcdefghijklmnopq"},
        {"//abcdefghijklmnopq", "//***"},
        {"/https%3A%2F%2Fh%2F", "/https%3A%2F%2Fh%2F"},
        {"http://abcdefghijklmnopq.test/", "http://abcdefghijklmnopq.test/"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct text out = {0};
        redact_unrouted(&out, &params, span_of(rows[i][0]));
        ck_assert_str_eq(out.at, rows[i][1]);
        text_free(&out);
    }
    ck_assert(redact_shows_segment(SPAN("Kra-ken_1.x")));
    ck_assert(!redact_shows_segment(SPAN("")));
    ck_assert(!redact_shows_segment(SPAN("a b")));
    ck_assert(!redact_shows_segment(SPAN("abcdefghijklmnopq")));
}
END_TEST

START_TEST(a_log_line_cannot_be_forged)
{
    redacts("/a\"%0astatus=999", "/a%22%0astatus=999");
    redacts("/a b\n\r\t\\\x7f\xe2", "/a%20b%0A%0D%09%5C%7F%E2");
}
END_TEST

/* However deeply it is encoded, and anywhere in the target. */
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

/* Short words between slashes are passed by at once. With a "?" behind them they are read byte by
 * byte: both must say the same. */
START_TEST(words_between_slashes)
{
    static const char *const pieces[] = {"/",       "//",    "ws",  "WSS", "stream",
                                         "Streams", "order", "v3",  "a1",  ".",
                                         "..",      "bot12", "-_x", "key", "0123456789abcdef"};
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char target[300] = "/";
        struct text plain = {0}, read = {0};
        for (int i = 0, n = rand_r(&seed) % 14; i < n; i++)
            strcat(target, pieces[(size_t)rand_r(&seed) % COUNT_OF(pieces)]);
        redact_target(&plain, &params, span_of(target));
        strcat(target, "?");
        redact_target(&read, &params, span_of(target));
        text_add(&plain, SPAN("?"));
        ck_assert_msg(strcmp(plain.at, read.at) == 0, "'%s' and '%s'", plain.at, read.at);
        text_free(&plain);
        text_free(&read);
    }
}
END_TEST

SUITE()
{
    TEST(plain_targets);
    TEST(nested_targets);
    TEST(userinfo_is_hidden);
    TEST(segments_are_hidden);
    TEST(what_is_no_secret_is_shown);
    TEST(an_unknown_first_segment);
    TEST(a_log_line_cannot_be_forged);
    TEST(deep_encodings);
    TEST(words_between_slashes);
}
