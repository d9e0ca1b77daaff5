/* The forms of a request target, hosts, ports and origins. */
#include "http/target.h"
#include "suite.h"

static struct arena *arena;

static void setup(void)
{
    arena = arena_new();
}

static void teardown(void)
{
    arena_free(arena);
}

static bool parse(const char *method, const char *target, struct target *t, struct verdict *why)
{
    return target_parse(arena, span_of(method), span_of(target), t, why);
}

/* "form[!] origin path spelling", with "!" for written_http and "w" for websocket. */
static const char *told(const char *method, const char *target)
{
    static const char *const forms[] = {"origin", "http",  "https",     "prefix",
                                        "enc",    "param", "authority", "asterisk"};
    struct target t;
    struct verdict why;
    if (!parse(method, target, &t, &why)) {
        ck_assert_int_eq(verdict_status(&why), 400);
        ck_assert_int_eq(why.sent, SENT_NO);
        ck_assert(why.detail[0]);
        return "400";
    }
    struct span origin = t.origin.host.len ? origin_authority(arena, &t.origin, true) : SPAN("-");
    ck_assert(t.origin.host.len == 0 || t.origin.secure);
    return arena_printf(arena, "%s%s%s %.*s %.*s %.*s", forms[t.form], t.written_http ? "!" : "",
                        t.websocket ? "w" : "", SPAN_ARG(origin), SPAN_ARG(t.path),
                        SPAN_ARG(t.spelling));
}

struct row {
    const char *target, *expected;
};

static void all(const char *method, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = told(method, rows[i].target);
        ck_assert_msg(strcmp(got, rows[i].expected) == 0, "%s: got '%s', expected '%s'",
                      rows[i].target, got, rows[i].expected);
    }
}

#define ALL(method, rows) all(method, rows, COUNT_OF(rows))

START_TEST(absolute_forms)
{
    static const struct row rows[] = {
        {"http://h.test/a?b=%2C", "http! h.test:443 /a?b=%2C "},
        {"http://h.test:80/a", "http! h.test:443 /a "},
        {"http://h.test:443/a", "http! h.test:443 /a "},
        {"http://h.test:8080/a", "http! h.test:8080 /a "},
        {"HTTP://H.Test./a", "http! h.test:443 /a "},
        {"https://h.test", "https h.test:443 / "},
        {"https://h.test?x=1", "https h.test:443 /?x=1 "},
        {"https://h.test:/", "https h.test:443 / "},
        {"https://h.test:8443/a//b/../c", "https h.test:8443 /a//b/../c "},
        {"wss://h.test/ws", "httpsw h.test:443 /ws "},
        {"ws://h.test:80/ws", "http!w h.test:443 /ws "},
        {"https://[::1]:8443/", "https [::1]:8443 / "},
        {"https://[2001:DB8:0::1]/", "https [2001:db8::1]:443 / "},
        {"https://192.0.2.7/", "https 192.0.2.7:443 / "},
    };
    ALL("GET", rows);
    static const struct row options[] = {
        {"https://h.test", "https h.test:443 * "},
        {"https://h.test?x", "https h.test:443 /?x "},
        {"https://h.test/", "https h.test:443 / "},
        {"/https://h.test", "prefix h.test:443 / /https://"},
        {"*", "asterisk - * "},
    };
    ALL("OPTIONS", options);
}
END_TEST

START_TEST(prefix_forms)
{
    static const struct row rows[] = {
        {"/https://h.test/a%2Cb?c", "prefix h.test:443 /a%2Cb?c /https://"},
        {"/https:/h.test/a", "prefix h.test:443 /a /https:/"},
        {"/https/h.test/a", "prefix h.test:443 /a /https/"},
        {"/HTTPS://H.test", "prefix h.test:443 / /https://"},
        {"/https://h.test?x", "prefix h.test:443 /?x /https://"},
        {"/https:/h.test:8443?x", "prefix h.test:8443 /?x /https:/"},
        {"/http://h.test/a", "prefix! h.test:443 /a /https://"},
        {"/http:/h.test:8080/a", "prefix! h.test:8080 /a /https:/"},
        {"/http/h.test/a", "prefix! h.test:443 /a /https/"},
        {"/wss://h.test/a", "prefixw h.test:443 /a /https://"},
        {"/ws://h.test/a", "prefix!w h.test:443 /a /https://"},
        {"/wss/h.test/a", "origin - /wss/h.test/a "},
        {"/ws/h.test", "origin - /ws/h.test "},
        {"/WS/h.test", "origin - /WS/h.test "},
        {"/ws:/h.test/a", "origin - /ws:/h.test/a "},
        {"/wss:h.test/a", "origin - /wss:h.test/a "},
        {"/ws?a", "origin - /ws?a "},
        {"/https://h.test//a/https://b/", "prefix h.test:443 //a/https://b/ /https://"},
        {"/https", "origin - /https "},
        {"/https?x", "origin - /https?x "},
        {"/httpsx/a", "origin - /httpsx/a "},
        {"/https%2Fh.test%2Fa", "origin - /https%2Fh.test%2Fa "},
        {"/ftp://h.test/", "origin - /ftp://h.test/ "},
        {"/", "origin - / "},
        {"//double//slash?x={\"a\":[1]}", "origin - //double//slash?x={\"a\":[1]} "},
    };
    ALL("GET", rows);
}
END_TEST

START_TEST(encoded_forms_are_decoded_once)
{
    static const struct row rows[] = {
        {"/https%3A%2F%2Fh.test%2Fa%3Fb%3D1%2C2", "enc h.test:443 /a?b=1,2 /https://"},
        {"/https%3a%2f%2fh.test%3a8443", "enc h.test:8443 / /https://"},
        {"/https:%2F%2Fh.test%2Fx%3Fa%3D1", "enc h.test:443 /x?a=1 /https://"},
        {"/https:/%2Fh.test%2Fx", "enc h.test:443 /x /https://"},
        {"/https%3A//h.test/a%2Cb", "enc h.test:443 /a,b /https://"},
        {"/https%3A/h.test/a%2Cb", "enc h.test:443 /a,b /https://"},
        {"/https%3A%2F%2Fh.test%2Fa%252Cb%3Fs%3DA%252B%253D",
         "enc h.test:443 /a%2Cb?s=A%2B%3D /https://"},
        {"/https%3A%2F%2Fh.test%2Fa?b=%2B+c", "enc h.test:443 /a?b=++c /https://"},
        {"/http%3A%2F%2Fh.test%2Fa", "enc! h.test:443 /a /https://"},
        {"/wss%3A%2F%2Fh.test%3Fa", "encw h.test:443 /?a /https://"},
        {"/ws:/%2Fh.test%2Fa", "enc!w h.test:443 /a /https://"},
        {"/ws%3A%2Fh.test%2Fa", "origin - /ws%3A%2Fh.test%2Fa "},
        {"/ws%2Fh.test", "origin - /ws%2Fh.test "},
        {"/?url=https%3A%2F%2Fh.test%2Fx%3Fa%3D1%26b%3D%255B",
         "param h.test:443 /x?a=1&b=%5B /https://"},
        {"/?url=https%3A%2F%2Fh.test%2Fx&", "param h.test:443 /x /https://"},
        {"/?url=https://h.test/x?a=1&b=%2C", "param h.test:443 /x?a=1&b=%2C /https://"},
        {"/?url=https:/h.test/x", "param h.test:443 /x /https://"},
        {"/?url=https%3A%2F%2Fh.test%2Fx&b=1", "400"},
        {"/?url=https/h.test/x", "400"},
        {"/?url=", "400"},
        {"/?url=h.test", "400"},
        {"/?Url=https://h.test", "origin - /?Url=https://h.test "},
        {"/?a=1&url=https://h.test", "origin - /?a=1&url=https://h.test "},
    };
    ALL("GET", rows);
}
END_TEST

START_TEST(what_is_refused)
{
    static const struct row rows[] = {
        {"", "400"},
        {"*", "400"},
        {"foo", "400"},
        {"ftp://h.test/", "400"},
        {"http:/h.test/", "400"},
        {"https:h.test", "400"},
        {"/a b", "400"},
        {"/a#b", "400"},
        {"/a\tb", "400"},
        {"/a\x7f", "400"},
        {"/\xe2\x82\xac", "400"},
        {"https://h.test/a#b", "400"},
        {"https://u@h.test/", "400"},
        {"https://u:p@h.test/", "400"},
        {"/https://u@h.test/", "400"},
        {"/https%3A%2F%2Fu%40h.test%2F", "400"},
        {"/?url=https://u@h.test/", "400"},
        {"https:///a", "400"},
        {"/https:///a", "400"},
        {"https://:443/", "400"},
        {"https://./", "400"},
        {"https://h.test../", "400"},
        {"https://h..test/", "400"},
        {"https://.test/", "400"},
        {"https://-h.test/", "400"},
        {"https://h-.test/", "400"},
        {"https://h%41.test/", "400"},
        {"https://<b>/", "400"},
        {"https://h.test:0/", "400"},
        {"https://h.test:65536/", "400"},
        {"https://h.test:99999999999/", "400"},
        {"https://h.test:4x/", "400"},
        {"https://h.test:+4/", "400"},
        {"https://[::1/", "400"},
        {"https://[::1]x/", "400"},
        {"https://[fe80::1%25lo]/", "400"},
        {"https://[v1.a]/", "400"},
        {"https://[]/", "400"},
        {"https://::1/", "400"},
        {"https://127.1/", "400"},
        {"https://0x7f.1/", "400"},
        {"https://0x7f000001/", "400"},
        {"https://2130706433/", "400"},
        {"https://1.2.3.04/", "400"},
        {"https://h.test,b/", "400"},
        {"https://h\\b/", "400"},
        {"https://h;b/", "400"},
        {"/https%3A%2F%2Fh.test%2Fa%0d%0aX:1", "400"},
        {"/https%3A%2F%2Fh.test%2Fa%20b", "400"},
        {"/https%3A%2F%2Fh.test%2Fa%23b", "400"},
        {"/https%3A%2F%2Fh.test%2F%E2%82%AC", "400"},
        {"/https%3A%2F%2Fh.test%2F%00", "400"},
        {"/https%3A%2F%2Fh.test%2F100%", "400"},
        {"/https%3A%2F%2Fh.test%2F%zz", "400"},
        {"/https%3A%2F%2Fh%00.test%2F", "400"},
    };
    ALL("GET", rows);
}
END_TEST

START_TEST(connect_takes_an_authority)
{
    static const struct row rows[] = {
        {"h.test:443", "authority h.test:443 / "},
        {"H.test.:80", "authority h.test:80 / "},
        {"[::1]:443", "authority [::1]:443 / "},
        {"h.test", "400"},
        {"h.test:443/", "400"},
        {"u@h.test:443", "400"},
        {"https://h.test:443", "400"},
        {"/", "400"},
        {"*", "400"},
    };
    ALL("CONNECT", rows);
}
END_TEST

START_TEST(long_hosts)
{
    char label[80];
    memset(label, 'a', sizeof label);
    const char *fits = arena_printf(arena, "https://%.63s.test/", label);
    const char *wide = arena_printf(arena, "https://%.64s.test/", label);
    ck_assert_str_ne(told("GET", fits), "400");
    ck_assert_str_eq(told("GET", wide), "400");
    char *host = arena_printf(arena, "%.61s.%.61s.%.61s.%.61s.aaaaa", label, label, label, label);
    ck_assert_uint_eq(strlen(host), 253);
    ck_assert_str_ne(told("GET", arena_printf(arena, "https://%s./", host)), "400");
    ck_assert_str_eq(told("GET", arena_printf(arena, "https://%sa/", host)), "400");
}
END_TEST

START_TEST(origins)
{
    struct origin a, b;
    struct span rest;
    ck_assert(origin_parse(arena, SPAN("HTTPS://H.test./b?c#d"), &a, &rest));
    ck_assert(a.secure && a.port == 443 && span_is(a.host, SPAN("h.test")) && !a.is_ip);
    ck_assert(span_is(rest, SPAN("/b?c#d")));
    ck_assert(span_is(origin_authority(arena, &a, false), SPAN("h.test")));
    ck_assert(span_is(origin_authority(arena, &a, true), SPAN("h.test:443")));
    ck_assert(origin_parse(arena, SPAN("http://h.test#f"), &b, &rest));
    ck_assert(!b.secure && b.port == 80 && span_is(rest, SPAN("#f")) && !origin_is(&a, &b));
    ck_assert(span_is(origin_authority(arena, &b, false), SPAN("h.test")));
    ck_assert(origin_parse(arena, SPAN("https://[::1]"), &b, &rest) && b.is_ip && rest.len == 0);
    ck_assert(span_is(b.host, SPAN("::1")));
    ck_assert(span_is(origin_authority(arena, &b, false), SPAN("[::1]")));
    ck_assert(origin_parse(arena, SPAN("https://h.test:443/"), &b, &rest) && origin_is(&a, &b));
    ck_assert(!origin_parse(arena, SPAN("ftp://h.test/"), &b, &rest));
    ck_assert(!origin_parse(arena, SPAN("//h.test/"), &b, &rest));
    ck_assert(!origin_parse(arena, SPAN("https://u:p@h.test/"), &b, &rest));
    ck_assert(!origin_parse(arena, SPAN("https://"), &b, &rest));
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(absolute_forms);
    TEST(prefix_forms);
    TEST(encoded_forms_are_decoded_once);
    TEST(what_is_refused);
    TEST(connect_takes_an_authority);
    TEST(long_hosts);
    TEST(origins);
}
