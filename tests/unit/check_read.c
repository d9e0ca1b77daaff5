/* From the text of a file to its blocks and values: lines, unknown directives, syntax errors,
 * environment variables. */
#include <stdlib.h>

#include "config_fixture.h"
#include "suite.h"

START_TEST(lines_are_right_in_a_commented_file)
{
    refuse_at("# one\n"
              "/* two\n"
              "   three */\n"
              "// four\n"
              "listen = { # five\n"
              "  \"127.0.0.1:1\", // six\n"
              "  /* seven\n"
              "  */ \"nine # no comment /* at all // here\"\n"
              "}\n",
              8, "listen = nine # no comment /* at all // here: ");
    refuse("max_clients = 0 # a\n/**/ max_uri_size = 0 // \"\nupstream a { /* '\n\" */\n"
           "  url = https://a.example # unquoted\n  retries = x\n}\ncache_sise = 1m\n",
           "t.conf:1: max_clients = 0: must be a whole number from 1 to 1000000\n"
           "t.conf:2: max_uri_size = 0: must be a size (k m g) from 64 to 16m\n"
           "t.conf:6: retries = x: must be a whole number from 0 to 100\n"
           "t.conf:8: unknown directive 'cache_sise'; did you mean 'cache_size'?\n");
    refuse_at("# a\r\n\r\nmax_clients = \"1\\\n0\" # b\r\nmax_clients_ = 1", 5,
              "unknown directive 'max_clients_'; did you mean 'max_clients'?");
    config_unref(parse_good("max_clients=5//five\nupstream a{url=https://a.example/**/}#"));
}
END_TEST

START_TEST(unknown_directives_are_named)
{
    refuse("\nupstream a {\nfreshness = 1s\nbad = 1\n}",
           "t.conf:3: unknown directive 'freshness'\n");
    refuse("conect = deny", "t.conf:1: unknown directive 'conect'; did you mean 'connect'?\n");
    refuse("upstream a {\n max_conections = 1\n}",
           "t.conf:2: unknown directive 'max_conections'; did you mean 'max_connections'?\n");
    refuse("upstrem a {\n}", "t.conf:1: unknown directive 'upstrem'; did you mean 'upstream'?\n");
    refuse("upstream a { max_clients = 1 }",
           "t.conf:1: unknown directive 'max_clients' here: it belongs outside any block\n");
    refuse("url = x", "t.conf:1: unknown directive 'url' here: it belongs in an upstream block\n");
    refuse("upstream a { defaults { } }",
           "t.conf:1: unknown directive 'defaults' here: it cannot be inside another block\n");
    refuse("min_idle = 1", "t.conf:1: unknown directive 'min_idle' here: it belongs in an upstream "
                           "or defaults block\n");
    refuse("upstream a {\nurl = http://a\n}\n\"upstream=a|min_idle\" = 5",
           "t.conf:4: unknown directive 'min_idle' here: it belongs in an upstream or defaults "
           "block\n");
}
END_TEST

START_TEST(syntax_errors_name_their_line)
{
    refuse("max_clients = 1\nlisten = {\"a", "t.conf:2: this string is never closed\n");
    refuse("\n\"abc\n", "t.conf:2: this string is never closed\n");
    refuse("\nupstream a {\nurl = \"http://a\"\n", "t.conf:2: this '{' is never closed\n");
    refuse("listen = {\n\"127.0.0.1:1\"", "t.conf:1: this '{' is never closed\n");
    refuse("/* x\n", "t.conf:1: this comment is never closed\n");
    refuse("max_clients = 1\n}\n", "t.conf:2: unexpected closing brace\n");
    refuse("max_clients\n5", "t.conf:2: missing equal sign after option 'max_clients'\n");
    refuse("max_clients = {5}", "t.conf:1: unexpected token '{'\n");
    refuse("max_clients =\n", "t.conf:2: premature end of file\n");
    refuse("max_clients = +5", "t.conf:1: unexpected '+'\n");
    refuse("max_clients = *5", "t.conf:1: unexpected '*'\n");
    refuse("allow_hosts += {a}", "t.conf:1: '+=' is not supported: give the whole list\n");
    refuse("access_log = \"${HOME\"", "t.conf:1: '${' is never closed "
                                      "(write \\${ for the characters)\n");
    refuse("access_log = /a${HOME}", "t.conf:1: a value that contains '${' must be quoted\n");
    refuse("access_log = \"\\999\"", "t.conf:1: bad escape sequence '\\999'\n");
    refuse("max_clients = 0\nmax_clients_ = 1\n\"",
           "t.conf:1: max_clients = 0: must be a whole number from 1 to 1000000\n"
           "t.conf:2: unknown directive 'max_clients_'; did you mean 'max_clients'?\n");
    ck_assert_ptr_null(config_parse("t.conf", "\0", 1, complain, &complaints));
    ck_assert_ptr_null(config_parse("t.conf", "a = \"\0\"", 7, NULL, NULL));
}
END_TEST

START_TEST(a_directive_stands_once_in_its_block)
{
    refuse("max_clients = 1\nmax_clients = 2",
           "t.conf:1: max_clients is set twice: here, and again below\n");
    refuse("listen = {127.0.0.1:1, 127.0.0.1:2}\nlisten = {127.0.0.1:3}",
           "t.conf:1: listen is set twice: here, and again below\n");
    config_unref(parse_good("upstream a { url = https://a retries = 1 }\n"
                            "upstream b { url = https://b retries = 1 }"));
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

/* A variable that is not set never yields an empty value. */
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
    TEST(lines_are_right_in_a_commented_file);
    TEST(unknown_directives_are_named);
    TEST(syntax_errors_name_their_line);
    TEST(a_directive_stands_once_in_its_block);
    TEST(variables_are_expanded);
    TEST(unset_variables_are_errors);
}
