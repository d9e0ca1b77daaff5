/* Host names and origins: which are plain, and which are refused. */
#include <stdio.h>

#include "config/host.h"

#include "config_fixture.h"
#include "suite.h"

START_TEST(urls_are_plain_origins)
{
    static const char *const bad[] = {"\"\"",
                                      "api.example",
                                      "ftp://a.example",
                                      "https://",
                                      "https:///",
                                      "https://a.example/x",
                                      "https://a.example//",
                                      "https://a.example?x",
                                      "\"https://a.example/#x\"",
                                      "https://a b",
                                      "https://a.example:0",
                                      "https://a.example:65536",
                                      "https://a.example:",
                                      "https://a.example:8x",
                                      "https://a..example",
                                      "https://.a",
                                      "https://a.example..",
                                      "https://1.2.3",
                                      "https://1.2.3.256",
                                      "https://[::1",
                                      "https://[::1]x",
                                      "https://::1",
                                      "https://[fe80::1%eth0]",
                                      "https://a%41",
                                      "https://\303\244.example",
                                      "https://0x7f000001.0x1.1",
                                      "\"https://a.example\\n\"",
                                      "https://01.2.3.4",
                                      "https://[1.2.3.4]"};
    char text[200];
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(text, sizeof text, "upstream a {\n\nurl = \"%s\" }", bad[i]);
        if (bad[i][0] == '"')
            snprintf(text, sizeof text, "upstream a {\n\nurl = %s }", bad[i]);
        refuse_at(text, 3, "url = ");
    }
    refuse("upstream a { url = \"https://me:secret@a.example\" }",
           "t.conf:1: url: must not contain a user name or a password\n");
    struct config *c = parse_good("upstream a { url = \"HTTPS://10.0.0.1:08443\" }\n"
                                  "upstream b { url = \"http://x_y.example\" }");
    ck_assert_str_eq(find(c, "a")->host, "10.0.0.1");
    ck_assert_uint_eq(find(c, "a")->port, 8443);
    ck_assert_str_eq(find(c, "b")->host, "x_y.example");
    config_unref(c);
}
END_TEST

START_TEST(hosts_are_names_or_addresses)
{
    static const struct {
        const char *text, *host; /* NULL: the text is invalid */
    } all[] = {{"A.Example.", "a.example"},
               {"x_y-z.test", "x_y-z.test"},
               {"10.0.0.1", "10.0.0.1"},
               {"2001:DB8::0:1", "2001:db8::1"},
               {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
               {"", NULL},
               {".", NULL},
               {"a..b", NULL},
               {"a b", NULL},
               {"a/b", NULL},
               {"1.2.3", NULL},
               {"a.1", NULL},
               {"fe80::1%eth0", NULL},
               {":", NULL},
               {"\303\244.example", NULL}};
    struct arena *a = arena_new();
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        const char *host = host_read(a, span_of(all[i].text));
        if (all[i].host)
            ck_assert_str_eq(host, all[i].host);
        else
            ck_assert_msg(host == NULL, "%s", all[i].text);
    }
    ck_assert_ptr_null(host_name_read(a, SPAN("::1")));
    ck_assert_uint_eq(host_port_read(SPAN("065535")), 0); /* five digits at most */
    ck_assert_uint_eq(host_port_read(SPAN("65535")), 65535);
    ck_assert_uint_eq(host_port_read(SPAN("65536")), 0);
    ck_assert_uint_eq(host_port_read(SPAN("")), 0);
    arena_free(a);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(urls_are_plain_origins);
    TEST(hosts_are_names_or_addresses);
}
