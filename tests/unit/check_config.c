/* A snapshot: read from a file, read from memory, read by several threads; and lookups in it. */
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "config_fixture.h"
#include "suite.h"

START_TEST(an_empty_file_gives_the_documented_defaults)
{
    struct config *c = parse_good("");
    const struct upstream_config *d = &c->defaults;
    ck_assert_uint_eq(c->listen.count, 1);
    ck_assert_str_eq(c->listen.at[0].text, "127.0.0.1:8642");
    ck_assert_uint_eq(c->allow_clients.count, 0);
    ck_assert_int_eq(c->unlisted, UNLISTED_ALLOW);
    ck_assert_uint_eq(c->max_clients, 4096);
    ck_assert_uint_eq(c->client_idle_timeout, 600000);
    ck_assert_uint_eq(c->max_header_size, 32768);
    ck_assert_uint_eq(c->dns_max_ttl, 60000);
    ck_assert_int_eq(c->log_level, LOG_LEVEL_INFO);
    ck_assert_str_eq(c->access_log, "off");
    ck_assert_int_eq(c->access_log_format, LOG_FORMAT_LOGFMT);
    ck_assert_uint_eq(c->slow_log, 1000);
    ck_assert_ptr_null(d->name);
    ck_assert_ptr_null(d->url);
    ck_assert_ptr_null(d->ca_file);
    ck_assert_uint_eq(d->connect_to.len, 0);
    ck_assert_uint_eq(d->listen.count, 0);
    ck_assert_uint_eq(d->max_connections, 16);
    ck_assert_uint_eq(d->idle_timeout, 90000);
    ck_assert(d->idle_learn && d->tls_verify && d->via && !d->server_timing);
    ck_assert_uint_eq(d->max_age, 3600000);
    ck_assert_uint_eq(d->transfer_timeout, 0);
    ck_assert_int_eq(d->tls_min, TLS_MIN_1_2);
    ck_assert_int_eq(d->http2, HTTP2_AUTO);
    ck_assert_uint_eq(d->credential_headers.count, 18);
    ck_assert_str_eq(d->credential_headers.at[17], "X-BAPI-SIGN");
    ck_assert_str_eq(d->credential_params.at[1], "listenKey");
    ck_assert_uint_eq(c->upstream_count, 0);
    config_unref(c);
}
END_TEST

START_TEST(upstreams_are_found)
{
    struct config *c = parse_good("upstream a { url = \"https://a.example\" }\n"
                                  "upstream ab { url = \"http://a.example:8080\" }\n"
                                  "upstream six { url = \"https://[::1]\" }");
    ck_assert_ptr_eq(config_find(c, "abc", 2), c->upstreams[1]);
    ck_assert_ptr_null(config_find(c, "abc", 3));
    ck_assert_ptr_null(config_find(c, "", 0));
    ck_assert_ptr_eq(config_find_origin(c, true, "a.exampleX", 9, 443), c->upstreams[0]);
    ck_assert_ptr_eq(config_find_origin(c, false, "a.example", 9, 8080), c->upstreams[1]);
    ck_assert_ptr_eq(config_find_origin(c, true, "::1", 3, 443), c->upstreams[2]);
    ck_assert_ptr_null(config_find_origin(c, false, "a.example", 9, 443));
    ck_assert_ptr_null(config_find_origin(c, true, "a.exampl", 8, 443));
    ck_assert_ptr_eq(config_ref(c), c);
    config_unref(c);
    ck_assert_str_eq(c->upstreams[0]->name, "a");
    config_unref(c);
}
END_TEST

START_TEST(lines_of_directives_are_known)
{
    struct config *c = parse_good("\nlog_level = debug\ndefaults {\n    retries = 1\n}\n"
                                  "upstream a {\n    url = https://a\n    preset = okx\n}\n");
    const struct upstream_config *a = find(c, "a");
    ck_assert_int_eq(c->log_level_line, 2);
    ck_assert_int_eq(c->listen_line, 0); /* the built-in default */
    ck_assert_int_eq(config_line(a, SPAN("url")), 7);
    ck_assert_int_eq(config_line(a, SPAN("retries")), 4);
    ck_assert_int_eq(config_line(a, SPAN("error_prefix")),
                     6); /* from the preset: not a line of the file */
    ck_assert_int_eq(config_line(a, SPAN("nonsense")), 6);
    ck_assert_int_eq(config_line(&c->defaults, SPAN("retries")), 4);
    ck_assert_int_eq(config_line(&c->defaults, SPAN("via")), 3);
    config_unref(c);
}
END_TEST

static void first_listen_is(const char *path, const char *text, const char *expected)
{
    struct text found = {0};
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    ck_assert(config_first_listen(path, &found) == (expected != NULL));
    if (expected)
        ck_assert_str_eq(found.at, expected);
    text_free(&found);
}

START_TEST(the_first_address_is_found_beside_errors)
{
    char path[] = "/tmp/check_config_XXXXXX";
    struct text found = {0};
    close(mkstemp(path));
    first_listen_is(path, "", "127.0.0.1:8642");
    first_listen_is(path, "listen = {nonsense, \"127.0.0.1:1\"}\nmax_clients = 0", "127.0.0.1:1");
    first_listen_is(path, "listen = {\"unix:/run/t.sock\"}\nnonsense = 1", "unix:/run/t.sock");
    first_listen_is(path, "listen = {}", NULL);
    first_listen_is(path, "nonsense = 1", NULL); /* the rest of the file was not read */
    unlink(path);
    ck_assert(!config_first_listen(path, &found));
}
END_TEST

START_TEST(files_are_loaded)
{
    char dir[] = "/tmp/check_config_XXXXXX", path[100], expected[200];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/t.conf", dir);
    text_free(&complaints);
    ck_assert_ptr_null(config_load(path, false, complain, &complaints));
    snprintf(expected, sizeof expected, "%s: No such file or directory\n", path);
    ck_assert_str_eq(complaints.at, expected);
    struct config *c = config_load(path, true, complain, &complaints);
    ck_assert_str_eq(c->path, "");
    config_unref(c);
    ck_assert_ptr_null(config_load(dir, true, complain, &complaints));
    ck_assert_ptr_nonnull(strstr(complaints.at, ": Is a directory\n"));
    FILE *f = fopen(path, "w");
    fputs("\nupstream a {\nurl = https://a\n}\n", f);
    fclose(f);
    c = config_load(path, false, complain, &complaints);
    ck_assert_str_eq(c->path, path);
    ck_assert_int_eq(c->upstreams[0]->line, 2);
    config_unref(c);
    ck_assert_int_eq(chdir(dir), 0);
    c = config_load("t.conf", false, complain, &complaints);
    ck_assert_str_eq(c->path, path);
    config_unref(c);
    unlink(path);
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(dir);
}
END_TEST

static void *load_often(void *argument)
{
    const char *text = argument;
    size_t refused = 0;
    for (int i = 0; i < 30; i++) {
        struct config *c = config_parse("t.conf", text, strlen(text), NULL, NULL);
        if (c)
            config_unref(c);
        else
            refused++;
    }
    return (void *)refused;
}

START_TEST(several_threads_read_at_once)
{
    static char texts[3][80] = {"upstream a { url = https://a }", "upstream a { url = \"", "x = 1"};
    pthread_t threads[3];
    void *refused[3];
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, load_often, texts[i]), 0);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], &refused[i]);
    ck_assert_uint_eq((uintptr_t)refused[0], 0);
    ck_assert_uint_eq((uintptr_t)refused[1], 30);
    ck_assert_uint_eq((uintptr_t)refused[2], 30);
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(an_empty_file_gives_the_documented_defaults);
    TEST(upstreams_are_found);
    TEST(lines_of_directives_are_known);
    TEST(the_first_address_is_found_beside_errors);
    TEST(files_are_loaded);
    TEST(several_threads_read_at_once);
}
