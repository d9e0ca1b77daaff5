/* The values of a configuration: how each type is read, and which values are refused with which
 * message. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
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

START_TEST(values_of_the_store)
{
    refuse_in_upstream("shareable_headers = {\"*\"}", "must be a header name, or the");
    refuse_in_upstream("shareable_headers = {\"a b\"}", "must be a header name, or the");
    refuse_in_upstream("error_prefix = {\"\"}", "must be 1 to 256 bytes long");
    refuse_in_upstream("cache_max_object = 0", "must be a size (k m g) from 1 to 64m");
    refuse_in_upstream("coalesce = maybe", "must be yes or no");
    struct config *c = parse_good("cache_size = 0");
    ck_assert_uint_eq(c->cache_size, 0);
    ck_assert_uint_eq(c->defaults.shareable_headers.count, 18);
    ck_assert_uint_eq(c->defaults.cache_max_object, 1 << 20);
    config_unref(c);
}
END_TEST

START_TEST(values_of_holds)
{
    refuse_in_upstream("hold_status = {399}", "must be a status from 400 to 599");
    refuse_in_upstream("hold_status = {429, 600}", "must be a status from 400 to 599");
    refuse_in_upstream("hold_status = {\"4xx\"}", "must be a status from 400 to 599");
    refuse_in_upstream("hold_max = 61m", "must be a duration (us ms s m h) from 1ms to 1h");
    refuse("upstream a { url = https://a.example hold_default = 3m }",
           "t.conf:1: hold_default (3m) is more than hold_max (2m)\n");
    refuse_in_upstream("limit_scope = key", "must be one of credential ip");
    struct config *c = parse_good("upstream a { preset = binance }\n"
                                  "upstream b { preset = bybit hold_status = {} }\n"
                                  "upstream c { preset = okx hold_until_prefix = 'until ' }");
    const struct upstream_config *a = find(c, "a"), *b = find(c, "b"), *o = find(c, "c");
    ck_assert_uint_eq(a->hold_status.count, 3);
    ck_assert_uint_eq(a->hold_status.at[0], 403);
    ck_assert_str_eq(a->hold_until_prefix, "banned until ");
    ck_assert_int_eq(a->limit_scope, LIMIT_SCOPE_IP);
    ck_assert_uint_eq(b->hold_status.count, 0);
    ck_assert_int_eq(b->limit_scope, LIMIT_SCOPE_IP);
    ck_assert_uint_eq(o->hold_status.count, 2);
    ck_assert_int_eq(o->limit_scope, LIMIT_SCOPE_CREDENTIAL);
    ck_assert_str_eq(o->hold_until_prefix, "until ");
    ck_assert_uint_eq(o->hold_default, 1000);
    ck_assert_uint_eq(o->hold_max, 120000);
    config_unref(c);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(values_of_every_kind_are_read);
    TEST(numbers_are_kept_in_their_range);
    TEST(files_named_must_be_readable);
    TEST(values_of_the_store);
    TEST(values_of_holds);
}
