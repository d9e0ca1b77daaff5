/* The values of a configuration: how each kind is read, and what is refused
 * with which words. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "config_fixture.h"
#include "suite.h"

START_TEST(values_of_every_kind_are_read)
{
    struct config *c = parse_good("listen = {\"127.0.0.1:1\", '[::1]:65535', unix:/run/t.sock}\n"
                                  "allow_clients = {10.1.2.3/8, \"fd00::1/8\", 192.0.2.7}\n"
                                  "allow_hosts = {Trunkline., \"host.docker.internal\"}\n"
                                  "unlisted = deny max_clients = 0100\n"
                                  "log_level = debug\naccess_log_format = json\n"
                                  "access_log = /var/log/t.log\n"
                                  "max_header_size = 1.5k\n"
                                  "upstream a-1 { url = \"https://A.example.:8443/\"\n"
                                  " connect_to = \"[2001:db8::1]:443\" tls_min = 1.3\n"
                                  " http2 = never idle_learn = off retry_private = TRUE }\n"
                                  "upstream b { url = http://[2001:DB8::0:1] tls_min = \"1.2\"\n"
                                  " tls_name = Other.Example. connect_to = unix:/x }\n");
    const struct sockaddr_in *sin = (const void *)&c->listen.at[0].at;
    const struct sockaddr_in6 *sin6 = (const void *)&c->listen.at[1].at;
    const struct sockaddr_un *sun = (const void *)&c->listen.at[2].at;
    const struct upstream_config *a = find(c, "a-1"), *b = find(c, "b");
    ck_assert_uint_eq(c->listen.count, 3);
    ck_assert(sin->sin_family == AF_INET && ntohs(sin->sin_port) == 1);
    ck_assert(sin6->sin6_family == AF_INET6 && ntohs(sin6->sin6_port) == 65535);
    ck_assert(sun->sun_family == AF_UNIX && strcmp(sun->sun_path, "/run/t.sock") == 0);
    ck_assert_uint_eq(c->listen.at[2].len, offsetof(struct sockaddr_un, sun_path) + 12);
    ck_assert_uint_eq(c->allow_clients.count, 3);
    ck_assert_uint_eq(c->allow_clients.at[0].prefix, 8);
    sin = (const void *)&c->allow_clients.at[0].network;
    ck_assert_uint_eq(ntohl(sin->sin_addr.s_addr), 0x0a000000);
    ck_assert_uint_eq(c->allow_clients.at[2].prefix, 32);
    ck_assert_str_eq(c->allow_hosts.at[0], "trunkline");
    ck_assert_int_eq(c->unlisted, UNLISTED_DENY);
    ck_assert_uint_eq(c->max_clients, 100);
    ck_assert_uint_eq(c->max_header_size, 1536);
    ck_assert_int_eq(c->log_level, LOG_LEVEL_DEBUG);
    ck_assert_str_eq(c->access_log, "/var/log/t.log");
    ck_assert(a->secure && a->port == 8443 && a->tls_min == TLS_MIN_1_3 && a->http2 == HTTP2_NEVER);
    ck_assert_str_eq(a->host, "a.example");
    ck_assert(!a->idle_learn && a->retry_private && a->line == 9);
    ck_assert(a->connect_to.len == sizeof *sin6 && a->connect_to.at.ss_family == AF_INET6);
    ck_assert(!b->secure && b->port == 80 && b->tls_min == TLS_MIN_1_2);
    ck_assert_str_eq(b->host, "2001:db8::1");
    ck_assert_str_eq(b->tls_name, "other.example");
    ck_assert_str_eq(b->connect_to.text, "unix:/x");
    config_unref(c);
}
END_TEST

START_TEST(durations_have_units_and_fractions)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"90", 90000},          {"90s", 90000},   {"100ms", 100},     {"0.5s", 500},
                {"1.5", 1500},          {"2m", 120000},   {"1.25h", 4500000}, {"0.001s", 1},
                {"8760h", 31536000000}, {"\"7s\"", 7000}, {"0.05m", 3000}};
    static const char *const bad[] = {"-1",
                                      "1d",
                                      "s",
                                      ".5",
                                      "5.",
                                      "1.5ms",
                                      "0",
                                      "0.0s",
                                      "1e3",
                                      "0.0001s",
                                      "\"\"",
                                      "8761h",
                                      "1S",
                                      "5;",
                                      "1.2.3",
                                      "0x10",
                                      "\" 1\"",
                                      "99999999999999999999h",
                                      "999999999999999999h"};
    char text[100];
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        snprintf(text, sizeof text, "client_idle_timeout = %s", good[i].text);
        struct config *c = parse_good(text);
        ck_assert_uint_eq(c->client_idle_timeout, good[i].ms);
        config_unref(c);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(text, sizeof text, "\n\nclient_idle_timeout = %s", bad[i]);
        refuse_at(text, 3, "client_idle_timeout = ");
        refuse_at(text, 3, "must be a duration (ms s m h) from 1ms to 8760h");
    }
    refuse("client_idle_timeout = -1s", "t.conf:1: client_idle_timeout = -1s: must be a duration "
                                        "(ms s m h) from 1ms to 8760h\n");
}
END_TEST

START_TEST(numbers_are_kept_in_their_range)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"max_connections = 0", "max_connections = 0: must be a whole number from 1 to 65535"},
        {"max_connections = 65536", "from 1 to 65535"},
        {"min_idle = -1", "min_idle = -1: must be a whole number"},
        {"max_requests = 4294967296", "max_requests = 4294967296: must be"},
        {"max_requests = 99999999999999999999999", "max_requests = "},
        {"retries = 1.0", "retries = 1.0: must be a whole number"},
        {"queue_limit = 5k", "queue_limit = 5k: must be a whole number"},
        {"breaker_failures = 0", "breaker_failures = 0: must be"},
        {"idle_timeout = 0", "idle_timeout = 0: must be a duration"},
        {"connect_timeout = 0ms", "connect_timeout = 0ms: must be a duration"},
        {"via = maybe", "via = maybe: must be yes or no"},
        {"http2 = perhaps", "http2 = perhaps: must be one of auto never always"},
        {"max_streams = 0", "max_streams = 0: must be a whole number from 1 to 65535"},
        {"tls_min = 1.1", "tls_min = 1.1: must be one of 1.2 1.3"},
        {"tls_name = \"a b\"", "tls_name = a b: must be a plain host name or an IP address"},
        {"connect_to = api.example:443", "must be IP:PORT, [IP6]:PORT or unix:/path"},
        {"connect_to = 10.0.0.1", "must be IP:PORT"},
        {"connect_to = 10.0.0.1:0", "the port must be a number from 1 to 65535"},
        {"credential_headers = {\"X Y\"}", "credential_headers = X Y: must be a header name"},
        {"credential_headers = {\"\"}", "credential_headers = \"\": must be a header name"},
        {"credential_params = {\"a=b\"}", "must be a query parameter name"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        refuse_in_upstream(bad[i].text, bad[i].words);
    refuse_at("max_clients = 0", 1, "max_clients = 0: must be a whole number from 1 to 1000000");
    refuse_at("max_uri_size = 1", 1, "max_uri_size = 1: must be a size (k m g) from 64 to 16m");
    refuse_at("max_uri_size = 1.0001k", 1, "max_uri_size");
    refuse_at("max_uri_size = 9t", 1, "max_uri_size = 9t");
    refuse_at("allow_hosts = {\"a/b\"}", 1, "allow_hosts = a/b: must be a plain host name");
    refuse_at("allow_clients = {10.0.0.0/33}", 1, "must be a network");
    refuse_at("allow_clients = {10.0.0.0/}", 1, "must be a network");
    refuse_at("allow_clients = {lan}", 1, "allow_clients = lan: must be a network");
    refuse_at("access_log = of", 1, "access_log = of: must be off, stderr or a path");
    refuse_at("log_level = loud", 1, "log_level = loud: must be one of error warn info debug");
    config_unref(parse_good("defaults { max_age = 0 transfer_timeout = 0 order_wait = 0 "
                            "max_requests = 4294967295 queue_limit = 0 max_idle = 0 }"));
}
END_TEST

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

START_TEST(addresses_to_listen_on_are_checked)
{
    char path[200], text[300];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[107] = '\0';
    snprintf(text, sizeof text, "listen = {\"unix:%s\"}", path);
    config_unref(parse_good(text));
    path[107] = 'x';
    path[108] = '\0';
    snprintf(text, sizeof text, "\nlisten = {\"unix:%s\"}", path);
    refuse_at(text, 2, "at most 107 bytes");
    refuse_at("listen = {unix:run.sock}", 1, "must begin with /");
    refuse_at("listen = {\"unix:\"}", 1, "must begin with /");
    refuse_at("listen = {127.0.0.1:0}", 1, "the port must be a number from 1 to 65535");
    refuse_at("listen = {localhost:80}", 1, "must be IP:PORT");
    refuse_at("listen = {\"::1:80\"}", 1, "must be IP:PORT");
    refuse_at("listen = {\"[::1]80\"}", 1, "must be IP:PORT");
    refuse_at("listen = {\"[127.0.0.1]:80\"}", 1, "must be IP:PORT");
    refuse_at("listen = {8642}", 1, "must be IP:PORT");
    refuse("listen = {\n\"127.0.0.1:1\",\n\"0.0.0.0:1\"}\n"
           "upstream a {\nurl = https://a\nlisten = {\"192.0.2.1:5\"}\n}",
           "t.conf:3: 0.0.0.0:1 is not a loopback address: set allow_clients first\n"
           "t.conf:3: 0.0.0.0:1 is already listened on with 127.0.0.1:1\n"
           "t.conf:6: 192.0.2.1:5 is not a loopback address: set allow_clients first\n");
    refuse("upstream a {\nurl = https://a\nlisten = {\n\"127.0.0.1:8642\",\n"
           "\"[::0001]:9\", \"[::1]:9\"}\n}",
           "t.conf:4: 127.0.0.1:8642 is already listened on\n"
           "t.conf:5: [::1]:9 is already listened on\n");
    refuse("allow_clients = {::/0}\nlisten = {\"[::]:9\", 0.0.0.0:8}\nupstream a {\n"
           "url = https://a\nlisten = {\"[::1]:9\", \"[::1]:8\", 127.0.0.1:9}\n}",
           "t.conf:5: [::1]:9 is already listened on with [::]:9\n");
    refuse("listen = {x, unix:/a, \"unix:/a\"}",
           "t.conf:1: listen = x: must be IP:PORT, [IP6]:PORT or unix:/path (an address, not a "
           "name)\nt.conf:1: unix:/a is already listened on\n");
    refuse("allow_clients = {x}\nlisten = {0.0.0.0:1}",
           "t.conf:1: allow_clients = x: must be a network such as 10.0.0.0/8, fd00::/8 or "
           "192.0.2.7\n");
    config_unref(parse_good("listen = {0.0.0.0:1, \"[::]:1\", 127.9.9.9:7}\n"
                            "allow_clients = {10.0.0.0/8}"));
    config_unref(parse_good("listen = {\"[::ffff:127.0.0.1]:1\"}"));
    struct config *c = parse_good("listen = {}");
    ck_assert_uint_eq(c->listen.count, 0);
    config_unref(c);
}
END_TEST

START_TEST(files_named_must_be_readable)
{
    char path[] = "/tmp/check_config_XXXXXX", text[300];
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    refuse_in_upstream("ca_file = /no/such/file", "ca_file = /no/such/file: No such file");
    refuse_in_upstream("cert_file = \"/tmp\"", "cert_file = /tmp: is not a file");
    snprintf(text, sizeof text, "upstream a {\nurl = https://a\nkey_file = %s\n}", path);
    refuse(text, "t.conf:1: key_file needs cert_file\n");
    snprintf(text, sizeof text,
             "defaults { cert_file = %s }\nupstream a {\nurl = https://a\n"
             "key_file = %s ca_file = %s\n}",
             path, path, path);
    struct config *c = parse_good(text);
    ck_assert_str_eq(find(c, "a")->cert_file, path);
    ck_assert_str_eq(find(c, "a")->ca_file, path);
    ck_assert_ptr_null(c->defaults.key_file);
    config_unref(c);
    snprintf(text, sizeof text,
             "defaults { ca_file = %s }\nupstream a {\nurl = https://a\n"
             "ca_file = \"\"\n}",
             path);
    c = parse_good(text);
    ck_assert_ptr_null(find(c, "a")->ca_file);
    config_unref(c);
    unlink(path);
}
END_TEST

START_TEST(variables_are_expanded)
{
    setenv("CHECK_CONFIG", "/from/env", 1);
    unsetenv("CHECK_CONFIG_NOT");
    struct config *c = parse_good("access_log = \"${CHECK_CONFIG}${CHECK_CONFIG_NOT:-/x}\"");
    ck_assert_str_eq(c->access_log, "/from/env/x");
    config_unref(c);
    c = parse_good("access_log = ${CHECK_CONFIG}");
    ck_assert_str_eq(c->access_log, "/from/env");
    config_unref(c);
}
END_TEST

#define UNSET(line, name)                                                                          \
    "t.conf:" line ": ${" name                                                                     \
    "} is not set in the environment (${NAME:-} may be unset; in single "                          \
    "quotes nothing is replaced)\n"

/* An unset name is never an empty value. */
START_TEST(unset_variables_are_errors)
{
    unsetenv("CHECK_NOT");
    setenv("CHECK_EMPTY", "", 1);
    setenv("CHECK_HOST", "a.test", 1);
    refuse("\nallow_hosts = {\"${CHECK_NOT}.test\"}",
           UNSET("2", "CHECK_NOT") "t.conf:2: allow_hosts = .test: must be a plain host name or an "
                                   "IP address\n");
    refuse_at("ca_cert = \"/a${CHECK_NOT}\"", 1, "${CHECK_NOT} is not set");
    refuse_at("upstream ${CHECK_NOT} { url = \"http://a.test\" }", 1, "${CHECK_NOT} is not set");
    refuse_at("max_clients = ${CHECK_NOT}", 1, "${CHECK_NOT} is not set");
    refuse_at("\n\nallow_hosts = {a,\n\"${CHECK_HOST}\",\n\"${CHECK_NOT}\"}", 5, "${CHECK_NOT} is");
    refuse_at("access_log = \"/a/${CHECK:X}\"", 1, "${CHECK:X} is not set");
    refuse_at("access_log = \"/a/${CHECK:X:-y}\"", 1, "${CHECK:X:-y} is not set");
    refuse_at("access_log = \"/a/${}\"", 1, "${} is not set");
    struct config *c = parse_good("# ${CHECK_NOT}\n/* \"${CHECK_NOT}\" */ // ${CHECK_NOT}\n"
                                  "access_log = '/${CHECK_NOT}'\n"
                                  "ca_cert = \"${CHECK_EMPTY}\" ca_key = \"${CHECK_NOT:-}\"\n"
                                  "allow_hosts = {\"${CHECK_HOST:-b.test}\"}\n"
                                  "defaults { credential_params = {\"\\${a}\"} }\n");
    ck_assert_str_eq(c->access_log, "/${CHECK_NOT}");
    ck_assert_str_eq(c->allow_hosts.at[0], "a.test");
    ck_assert_ptr_null(c->ca_cert);
    config_unref(c);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(values_of_every_kind_are_read);
    TEST(durations_have_units_and_fractions);
    TEST(numbers_are_kept_in_their_range);
    TEST(urls_are_plain_origins);
    TEST(addresses_to_listen_on_are_checked);
    TEST(files_named_must_be_readable);
    TEST(variables_are_expanded);
    TEST(unset_variables_are_errors);
}
