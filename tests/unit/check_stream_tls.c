/* Against origins in Python and OpenSSL (tls_origin.py), on loopback. */
#include <mbedtls/debug.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>

#include "suite.h"
#include "tls_fixture.h"

/* ---------------------------------------------------------------- handshakes */

static void check_echo(const char *origin, const char *version)
{
    struct line l = {0};
    must_open(&l, origin);
    ck_assert_str_eq(l.version, version);
    ck_assert(!l.report.resumed && l.report.handshake_us > 0);
    UNTIL(l.got == strlen("reused=0\n"));
    say(&l, "order");
    UNTIL(l.got == strlen("reused=0\norder"));
    ck_assert_str_eq(l.first, "reused=0\norder");
    ck_assert(stream_queued(l.tls) == 0 && stream_taken(l.tls) == stream_taken(l.tap.inner));
    ck_assert(stream_is_quiet(l.tls, 0));
    close_line(&l);
}

START_TEST(speaks_both_versions)
{
    check_echo("echo12", "TLSv1.2");
    use_context((struct tls_settings){.verify = true, .ca_file = file("ca.pem")});
    check_echo("echo13", "TLSv1.3");
}
END_TEST

START_TEST(speaks_both_versions_with_rsa_keys)
{
    check_echo("rsa12", "TLSv1.2");
    use_context((struct tls_settings){.verify = true, .ca_file = file("ca.pem")});
    check_echo("rsa13", "TLSv1.3");
}
END_TEST

static void check_less(const char *origin)
{
    struct line l = {0};
    open_line(&l, origin, "origin.test");
    ck_assert(l.failed && stream_tls_may_be_older(l.tls));
    close_line(&l);
    for (int i = 0; i < 2; i++) {
        must_open(&l, origin);
        ck_assert_str_eq(l.version, "TLSv1.2");
        close_line(&l);
    }
}

/* mbedTLS has to offer PSS for TLS 1.3, and does not accept it in TLS 1.2. */
START_TEST(offers_less_after_a_failure)
{
    struct line l = {0};
    check_less("pss12");
    tls_sessions_clear(tls_context_sessions(context));
    check_less("intolerant");
    open_line(&l, "echo13", "origin.test"); /* has moved on */
    ck_assert(l.failed && !stream_tls_may_be_older(l.tls));
    close_line(&l);
    must_open(&l, "echo13");
    close_line(&l);
}
END_TEST

START_TEST(offers_no_less_without_cause)
{
    static const char *const ill[] = {"expired", "plain", "garbage", "eof", "strict12"};
    for (size_t i = 0; i < COUNT_OF(ill); i++) {
        struct line l = {0};
        open_line(&l, ill[i], "origin.test");
        ck_assert_msg(l.failed && !stream_tls_may_be_older(l.tls), "%s", ill[i]);
        close_line(&l);
    }
    use_context(
        (struct tls_settings){.verify = true, .ca_file = file("ca.pem"), .tls13_only = true});
    struct line l = {0};
    open_line(&l, "rsa12", "origin.test");
    ck_assert(l.failed && !stream_tls_may_be_older(l.tls));
    close_line(&l);
}
END_TEST

START_TEST(negotiates_alpn)
{
    struct line l = {0};
    must_open(&l, "echo");
    ck_assert_str_eq(l.alpn, "http/1.1");
    close_line(&l);
    must_open(&l, "echo12");
    ck_assert_str_eq(l.alpn, "-");
    close_line(&l);
}
END_TEST

START_TEST(keeps_to_the_lowest_version)
{
    use_context(
        (struct tls_settings){.verify = true, .ca_file = file("ca.pem"), .tls13_only = true});
    check_echo("echo13", "TLSv1.3");
    tls_sessions_clear(tls_context_sessions(context));
    must_fail("echo12", "origin.test", FAILURE_TLS_PROTOCOL_ERROR, "protocol_version");
}
END_TEST

START_TEST(refuses_bad_certificates)
{
    enum failure why = FAILURE_TLS_CERTIFICATE_ERROR;
    must_fail("expired", "origin.test", why, "expired");
    must_fail("unknown", "origin.test", why, "trusted CA");
    must_fail("self", "origin.test", why, "trusted CA");
    must_fail("echo13", "evil.test", why, "Common Name");
    must_fail("echo12", "evil.test", why, "Common Name");
    must_fail("echo13", "a.b.wild.test", why, "Common Name");
}
END_TEST

START_TEST(verifies_addresses)
{
    struct line l = {0};
    open_line(&l, "echo13", "127.0.0.1");
    ck_assert_msg(l.secured, "%s", l.detail);
    close_line(&l);
    open_line(&l, "echo12", "::1");
    ck_assert_msg(l.secured, "%s", l.detail);
    close_line(&l);
    must_fail("echo13", "127.0.0.2", FAILURE_TLS_CERTIFICATE_ERROR, "Common Name");
    must_fail("echo12", "127.0.0.2", FAILURE_TLS_CERTIFICATE_ERROR, "Common Name");
    must_fail("echo12", "::2", FAILURE_TLS_CERTIFICATE_ERROR, "Common Name");
}
END_TEST

START_TEST(takes_anything_unverified)
{
    use_context((struct tls_settings){.verify = false});
    const char *ill[] = {"expired", "unknown", "self"};
    for (size_t i = 0; i < COUNT_OF(ill); i++) {
        struct line l = {0};
        open_line(&l, ill[i], "evil.test");
        ck_assert_msg(l.secured, "%s: %s", ill[i], l.detail);
        close_line(&l);
    }
}
END_TEST

START_TEST(system_bundle_knows_no_test_ca)
{
    use_context((struct tls_settings){.verify = true});
    must_fail("echo13", "origin.test", FAILURE_TLS_CERTIFICATE_ERROR, "trusted CA");
}
END_TEST

START_TEST(tells_what_went_wrong)
{
    must_fail("plain", "origin.test", FAILURE_TLS_PROTOCOL_ERROR, "is not TLS");
    must_fail("garbage", "origin.test", FAILURE_TLS_PROTOCOL_ERROR, "");
    must_fail("alert", "origin.test", FAILURE_TLS_PROTOCOL_ERROR, "handshake_failure");
    must_fail("eof", "origin.test", FAILURE_CONNECTION_TERMINATED, "origin closed");
    must_fail("reset", "origin.test", FAILURE_CONNECTION_TERMINATED, "reset");
}
END_TEST

START_TEST(shows_a_client_certificate)
{
    must_fail("strict12", "origin.test", FAILURE_TLS_PROTOCOL_ERROR, "alert");
    struct line l = {0};
    must_open(&l, "strict13"); /* in TLS 1.3 the refusal arrives only after the handshake */
    UNTIL(l.ended);
    ck_assert_int_eq(l.how, STREAM_RESET);
    ck_assert(strstr(l.why, "alert") != NULL);
    close_line(&l);
    use_context((struct tls_settings){.verify = true,
                                      .ca_file = file("ca.pem"),
                                      .cert_file = file("client.pem"),
                                      .key_file = file("client.key")});
    check_echo("strict13", "TLSv1.3");
    tls_sessions_clear(tls_context_sessions(context));
    check_echo("strict12", "TLSv1.2");
}
END_TEST

static void must_refuse(struct tls_settings settings, const char *words)
{
    char error[256] = "";
    ck_assert(tls_context_new(&settings, error, sizeof error) == NULL);
    ck_assert_msg(strstr(error, words) != NULL, "%s", error);
}

START_TEST(refuses_bad_files)
{
    must_refuse((struct tls_settings){.verify = true, .ca_file = "/nowhere"},
                "ca_file /nowhere: cannot be read");
    must_refuse((struct tls_settings){.verify = true, .ca_file = file("good.key")}, "ca_file");
    must_refuse((struct tls_settings){.verify = true, .ca_file = "/dev/zero"}, "too large");
    must_refuse((struct tls_settings){.verify = true, .ca_file = "/"}, "Is a directory");
    must_refuse((struct tls_settings){.verify = true, .ca_file = "/dev/null"}, "ca_file /dev/null");
    must_refuse((struct tls_settings){.cert_file = "/nowhere"}, "cert_file /nowhere");
    must_refuse((struct tls_settings){.cert_file = file("good.pem"), .key_file = "/nowhere"},
                "key_file /nowhere");
    must_refuse((struct tls_settings){.cert_file = file("ca.pem")}, "cert_file "); /* no key */
    must_refuse((struct tls_settings){.cert_file = file("good.pem"), .key_file = file("ca.key")},
                "is not the key of");
}
END_TEST

/* ---------------------------------------------------------------- resumption */

/* Opens a line, reads the origin's view of it, closes it; returns whether the session was
 * resumed. */
static bool visit(const char *origin, const char *name)
{
    struct line l = {0};
    open_line(&l, origin, name);
    ck_assert_msg(l.secured, "%s: %s", origin, l.detail);
    UNTIL(l.got == strlen("reused=0\n"));
    ck_assert_str_eq(l.first, l.report.resumed ? "reused=1\n" : "reused=0\n");
    close_line(&l);
    return l.report.resumed;
}

START_TEST(resumes)
{
    const char *names[] = {"echo12", "echo13"};
    for (int verify = 0; verify < 2; verify++)
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            use_context((struct tls_settings){.verify = verify, .ca_file = file("ca.pem")});
            ck_assert(!visit(names[i], "origin.test"));
            ck_assert(visit(names[i], "origin.test"));
            ck_assert(visit(names[i], "origin.test"));
            ck_assert(!visit(names[i], "127.0.0.1")); /* another name */
            ck_assert(visit(names[i], "127.0.0.1"));
            ck_assert(visit(names[i], "origin.test"));
        }
}
END_TEST

START_TEST(survives_a_refused_session)
{
    ck_assert(!visit("forgetful12", "origin.test"));
    ck_assert(!visit("forgetful12", "origin.test"));
    use_context((struct tls_settings){.verify = true, .ca_file = file("ca.pem")});
    ck_assert(!visit("forgetful13", "origin.test"));
    ck_assert(!visit("forgetful13", "origin.test"));
}
END_TEST

/* If an origin no longer supports the version of its session, at most one attempt is lost. */
START_TEST(survives_a_changed_version)
{
    size_t failures = 0;
    for (int i = 0; i < 6; i++) {
        struct line l = {0};
        open_line(&l, "fickle", "origin.test");
        failures = l.failed ? failures + 1 : 0;
        ck_assert_uint_lt(failures, 2);
        if (l.secured)
            UNTIL(l.got > 0);
        close_line(&l);
    }
}
END_TEST

/* ------------------------------------------------------------------- closing */

START_TEST(closing_at_any_time_is_silent)
{
    for (int delay = 0; delay < 12; delay++) {
        struct line l = {0}, silent = {0};
        tls_sessions_clear(tls_context_sessions(context));
        begin(&l, delay % 2 ? "echo13" : "echo12", "origin.test");
        begin(&silent, "silent", "origin.test");
        turn_for(loop, (unsigned)delay);
        close_line(&l);
        close_line(&silent);
        l.secured = silent.secured = false;
        turn_for(loop, 30);
        ck_assert(!l.secured && !l.failed && !silent.secured && !silent.failed);
    }
}
END_TEST

START_TEST(closing_while_a_job_runs_and_the_worker_ends)
{
    struct line l[5];
    memset(l, 0, sizeof l);
    for (size_t i = 0; i < COUNT_OF(l); i++)
        begin(&l[i], "silent", "origin.test");
    for (size_t i = 0; i < COUNT_OF(l); i++)
        close_line(&l[i]);
}
END_TEST

START_TEST(closing_inside_the_event)
{
    struct line l = {.closes_when_secured = true};
    must_open(&l, "echo13");
    ck_assert(l.is_closed);
    turn_for(loop, 30);
    ck_assert_uint_eq(l.got, 0);
}
END_TEST

START_TEST(closing_inside_on_data)
{
    struct line l = {.closes_inside = true};
    must_open(&l, "much");
    UNTIL(l.is_closed);
    size_t got = l.got;
    turn_for(loop, 50);
    ck_assert(got > 0 && l.got == got && !l.ended);
}
END_TEST

START_TEST(silent_origins_block_nobody)
{
    struct line silent[4];
    memset(silent, 0, sizeof silent);
    for (size_t i = 0; i < COUNT_OF(silent); i++)
        begin(&silent[i], "silent", "origin.test");
    check_echo("echo13", "TLSv1.3");
    for (size_t i = 0; i < COUNT_OF(silent); i++) {
        ck_assert(!silent[i].secured && !silent[i].failed);
        close_line(&silent[i]);
    }
}
END_TEST

START_TEST(a_burst_comes_through)
{
    static struct line lines[40];
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        begin(&lines[i], i % 2 ? "echo" : "echo13", "origin.test");
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (i % 5 == 0)
            close_line(&lines[i]);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        UNTIL(lines[i].is_closed || lines[i].got == strlen("reused=0\n"));
        close_line(&lines[i]);
    }
}
END_TEST

/* ---------------------------------------------------------------------- data */

static void check_end(const char *origin, enum stream_end how)
{
    struct line l = {0};
    must_open(&l, origin);
    UNTIL(l.ended);
    ck_assert_str_eq(l.first, "hello");
    ck_assert_msg(l.how == how, "%s: %d %s", origin, l.how, l.why);
    ck_assert(!stream_is_quiet(l.tls, 0));
    close_line(&l);
}

START_TEST(tells_the_ends_apart)
{
    check_end("notify", STREAM_EOF);
    check_end("cut", STREAM_CUT);
    check_end("broken", STREAM_RESET);
}
END_TEST

static void count_message(void *count, int level, const char *file, int line, const char *words)
{
    (void)level, (void)file, (void)line, (void)words;
    ++*(int *)count;
}

/* Neither here nor in the daemon does anything read mbedTLS's debug messages, so that it must not
 * prepare them: its own functions are replaced, and would call back at this threshold. */
START_TEST(debug_messages_are_not_made)
{
#ifdef MBEDTLS_DEBUG_C
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    int count = 0;
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_dbg(&config, count_message, &count);
    mbedtls_debug_set_threshold(4);
    mbedtls_ssl_init(&ssl);
    ck_assert_int_eq(mbedtls_ssl_setup(&ssl, &config), 0);
    mbedtls_ssl_set_hostname(&ssl, "a.test");
    (void)mbedtls_ssl_handshake(&ssl);
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&config);
    ck_assert_int_eq(count, 0);
#endif
}
END_TEST

START_TEST(key_update_is_the_end)
{
    struct line l = {0};
    must_open(&l, "key-update");
    say(&l, "tell me\n");
    UNTIL(l.ended);
    ck_assert_int_eq(l.how, STREAM_RESET);
    uint64_t taken = stream_taken(l.tls);
    say(&l, "an order");
    ck_assert_uint_eq(stream_taken(l.tls), taken);
    ck_assert_uint_eq(stream_queued(l.tls), 0);
    close_line(&l);
}
END_TEST

START_TEST(pausing_loses_nothing)
{
    struct line l = {.pauses_inside = true};
    must_open(&l, "much");
    for (;;) {
        size_t got = l.got;
        UNTIL(l.got > got || l.ended);
        if (l.ended)
            break;
        got = l.got;
        loop_turn(loop, false);
        ck_assert_uint_eq(l.got, got);
        ck_assert(!l.ended);
        stream_resume(l.tls);
        ck_assert_uint_eq(l.got, got); /* no event from inside the call */
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < 1024 * 1024; i++)
        sum = sum * 31 + i % 256;
    ck_assert_uint_eq(l.got, 1024 * 1024);
    ck_assert(l.sum == sum && l.pauses > 10);
    ck_assert_int_eq(l.how, STREAM_EOF);
    close_line(&l);
}
END_TEST

/* How much the kernel and the origin take before the queue fills is theirs to say. */
START_TEST(echoes_with_back_pressure)
{
    static char block[100 * 1000 + 7];
    struct line l = {0};
    must_open(&l, "echo13");
    UNTIL(l.got == 9);
    size_t sent = 0;
    uint64_t sum = l.sum;
    stream_pause(l.tls); /* so that the origin blocks, and then our queue fills */
    for (int round = 0;; round++) {
        ck_assert_int_lt(round, 200);
        for (size_t i = 0; i < sizeof block; i++) {
            block[i] = (char)(i * 7 + (size_t)round);
            sum = sum * 31 + (unsigned char)block[i];
        }
        uv_buf_t pieces[] = {uv_buf_init(block, 10), uv_buf_init(block + 10, 50000),
                             uv_buf_init(block + 50010, sizeof block - 50010)};
        bool goes_on = stream_write(l.tls, pieces, 3);
        sent += sizeof block;
        if (!goes_on)
            break;
        ck_assert_uint_le(stream_queued(l.tls), STREAM_HIGH);
        loop_turn(loop, false);
    }
    ck_assert_uint_gt(stream_queued(l.tls), STREAM_HIGH);
    ck_assert(!stream_write(l.tls, &(uv_buf_t){.base = block, .len = 1}, 1)); /* still full */
    sum = sum * 31 + (unsigned char)block[0];
    sent++;
    ck_assert_uint_eq(l.drains, 0);
    stream_resume(l.tls);
    UNTIL(l.got == sent + 9);
    ck_assert(l.sum == sum);
    ck_assert_uint_eq(l.drains, 1);
    ck_assert(stream_queued(l.tls) < STREAM_LOW);
    close_line(&l);
}
END_TEST

START_TEST(small_pieces_are_one_write)
{
    struct line l = {0};
    must_open(&l, "echo13");
    UNTIL(l.got == 9);
    size_t writes = l.tap.writes;
    uint64_t taken = stream_taken(l.tls);
    uv_buf_t pieces[] = {uv_buf_init((char *)"head", 4), uv_buf_init((char *)"", 0),
                         uv_buf_init((char *)"body", 4)};
    ck_assert(stream_write(l.tls, pieces, COUNT_OF(pieces)));
    ck_assert_uint_eq(l.tap.writes, writes + 1);
    ck_assert_uint_eq(stream_taken(l.tls), taken + 5 + 16 + 16); /* one record, padded to 16 */
    UNTIL(l.got == 17);
    ck_assert_str_eq(l.first, "reused=0\nheadbody");
    close_line(&l);
}
END_TEST

START_TEST(a_dead_line_takes_nothing)
{
    struct line l = {0};
    must_open(&l, "echo13");
    UNTIL(l.got == 9);
    uint64_t taken = stream_taken(l.tls);
    l.tap.is_dead = true;
    say(&l, "an order");
    ck_assert_uint_eq(stream_taken(l.tls), taken);
    ck_assert_uint_eq(stream_queued(l.tls), 0);
    close_line(&l);
}
END_TEST

START_TEST(half_closes)
{
    struct line l = {0};
    must_open(&l, "echo12");
    say(&l, "last words");
    stream_shutdown(l.tls);
    UNTIL(l.ended);
    ck_assert_str_eq(l.first, "reused=0\nlast words");
    ck_assert_int_eq(l.how, STREAM_EOF);
    close_line(&l);
}
END_TEST

START_TEST(unread_bytes_are_not_quiet)
{
    struct line l = {0};
    must_open(&l, "echo13");
    UNTIL(l.got == 9);
    ck_assert(stream_is_quiet(l.tls, 0));
    say(&l, "x");
    for (int i = 0; i < 20000 && stream_is_quiet(l.tls, 0); i++)
        usleep(1000); /* until the echo waits in the kernel */
    ck_assert(!stream_is_quiet(l.tls, 0));
    UNTIL(l.got == 10);
    ck_assert(stream_is_quiet(l.tls, 0));
    close_line(&l);
}
END_TEST

/* The part of a record that mbedTLS holds counts as unread, like bytes in the kernel. */
START_TEST(part_of_a_record_is_not_quiet)
{
    static const char *const versions[] = {"echo12", "echo13"};
    struct line l = {0};
    must_open(&l, versions[_i]);
    UNTIL(l.got == 9);
    l.tap.holds = true;
    say(&l, "hello");
    UNTIL(l.tap.held.len > 5 + 5); /* all of one record, sent in one piece */
    const unsigned char *record = (const unsigned char *)l.tap.held.at;
    size_t end = 5 + ((size_t)record[3] << 8 | record[4]);
    ck_assert_uint_eq(l.tap.held.len, end);
    for (size_t i = 0; i < end; i++) {
        ck_assert(stream_is_quiet(l.tls, 0) == (i == 0));
        tap_pass(&l.tap, i);
    }
    ck_assert_uint_eq(l.got, 9 + 5);
    ck_assert(stream_is_quiet(l.tls, 0));
    text_free(&l.tap.held);
    close_line(&l);
}
END_TEST

SUITE()
{
    ONCE(start_origins, stop_origins);
    FIXTURE(set_up, tear_down);
    TEST(speaks_both_versions);
    TEST(speaks_both_versions_with_rsa_keys);
    TEST(offers_less_after_a_failure);
    TEST(offers_no_less_without_cause);
    TEST(negotiates_alpn);
    TEST(keeps_to_the_lowest_version);
    TEST(refuses_bad_certificates);
    TEST(verifies_addresses);
    TEST(takes_anything_unverified);
    TEST(system_bundle_knows_no_test_ca);
    TEST(tells_what_went_wrong);
    TEST(shows_a_client_certificate);
    TEST(refuses_bad_files);
    TEST(resumes);
    TEST(survives_a_refused_session);
    TEST(survives_a_changed_version);
    TEST(closing_at_any_time_is_silent);
    TEST(closing_while_a_job_runs_and_the_worker_ends);
    TEST(closing_inside_the_event);
    TEST(closing_inside_on_data);
    TEST(silent_origins_block_nobody);
    TEST(a_burst_comes_through);
    TEST(tells_the_ends_apart);
    TEST(debug_messages_are_not_made);
    TEST(key_update_is_the_end);
    TEST(pausing_loses_nothing);
    TEST(echoes_with_back_pressure);
    TEST(small_pieces_are_one_write);
    TEST(a_dead_line_takes_nothing);
    TEST(half_closes);
    TEST(unread_bytes_are_not_quiet);
    LOOP(part_of_a_record_is_not_quiet, 0, 2);
}
