/* The diagnosis of `trunkline doctor`: how each fact is described, and which facts are problems. */
#include <stdio.h>

#include "cli/diagnosis.h"
#include "suite.h"

#define NOW_MS INT64_C(1800000000000)
#define DAYS(n) ((int64_t)(n)*86400)

static struct upstream_config upstream;
static struct checkup_facts facts;
static struct text page;

/* A healthy exchange; each test spoils one fact. */
static void setup(void)
{
    upstream = (struct upstream_config){
        .name = "ex",
        .url = "https://exchange.test",
        .host = "exchange.test",
        .secure = true,
        .tls_verify = true,
        .connect_timeout = 5000,
        .tls_timeout = 5000,
    };
    facts = (struct checkup_facts){
        .addresses = "192.0.2.1:443, 192.0.2.2:443",
        .connected = true,
        .secure = true,
        .peer = "192.0.2.1:443",
        .tls_version = "TLSv1.3",
        .alpn = "h2",
        .dns_us = 4200,
        .connect_us = 12300,
        .tls_us = 25100,
        .valid_from_s = NOW_MS / 1000 - DAYS(30),
        .valid_until_s = NOW_MS / 1000 + DAYS(60) + 1,
        .path = "/",
        .status = 200,
        .asked_ms = NOW_MS,
        .answered_ms = NOW_MS + 100,
        .answer_us = 100000,
        .has_date = true,
        .date_s = NOW_MS / 1000,
    };
}

static void teardown(void)
{
    text_free(&page);
}

static bool is_well(void)
{
    text_clear(&page);
    return diagnose(&upstream, &facts, &page);
}

static void tells(const char *words)
{
    ck_assert_msg(strstr(page.at, words) != NULL, "no '%s' in: %s", words, page.at);
}

static void is_ill(const char *words)
{
    char finding[300];
    ck_assert(!is_well());
    tells("ex  https://exchange.test  not well\n");
    snprintf(finding, sizeof finding, "\n  ! %s\n", words);
    tells(finding);
    ck_assert_ptr_null(strstr(strstr(page.at, "!") + 1, "!"));
}

START_TEST(a_healthy_one)
{
    ck_assert(is_well());
    ck_assert_str_eq(page.at, "ex  https://exchange.test  well\n"
                              "  addresses   192.0.2.1:443, 192.0.2.2:443 (resolved in 4.2 ms)\n"
                              "  round trip  12.3 ms (TCP connect) to 192.0.2.1:443\n"
                              "  TLS         TLSv1.3, ALPN h2, handshake 25.1 ms\n"
                              "  certificate 60 days left\n"
                              "  answer      GET /: 200 in 100.0 ms\n"
                              "  clock       agrees with ours, within 1.0 s\n");
}
END_TEST

START_TEST(certificates_that_end)
{
    facts.valid_until_s = NOW_MS / 1000 + DAYS(7);
    ck_assert(is_well());
    facts.valid_until_s--;
    is_ill("its certificate expires in 6 days");
    facts.valid_from_s = NOW_MS / 1000 - DAYS(2); /* a short validity period is not a problem */
    ck_assert(is_well());
    facts.valid_until_s = NOW_MS / 1000 - DAYS(3);
    is_ill("its certificate expired 3 days ago");
    facts.valid_until_s = NOW_MS / 1000 - DAYS(1) + 1;
    is_ill("its certificate expired 23 hours ago");
    facts.valid_from_s = 0;
    facts.valid_until_s = NOW_MS / 1000 + DAYS(1);
    is_ill("its certificate expires in 24 hours");
}
END_TEST

/* Date has no fraction of a second: it agrees if any time within its second does. */
START_TEST(clocks)
{
    facts.date_s = NOW_MS / 1000;
    ck_assert(is_well());
    tells("clock       agrees with ours, within 1.0 s");
    facts.date_s = NOW_MS / 1000 - 2;
    ck_assert(is_well());
    tells("ours is 1.5 s ahead, give or take 0.6 s");
    facts.date_s = NOW_MS / 1000 - 3;
    is_ill("our clock and the exchange's differ by 2.5 s: signed requests will be refused");
    facts.date_s = NOW_MS / 1000 + 1;
    ck_assert(is_well());
    tells("ours is 1.5 s behind, give or take 0.6 s");
    facts.date_s = NOW_MS / 1000 + 2;
    is_ill("our clock and the exchange's differ by 2.5 s: signed requests will be refused");
    facts.answered_ms += 3000; /* the response was so slow that the difference is uncertain */
    ck_assert(is_well());
    facts.has_date = false;
    ck_assert(is_well());
    tells("clock       unknown");
}
END_TEST

START_TEST(times_near_their_limit)
{
    facts.connect_us = 2600 * 1000;
    is_ill("the TCP connect took 2600 ms, more than half of connect_timeout (5s)");
    facts.connect_us = 0;
    facts.tls_us = 2600 * 1000;
    is_ill("the TLS handshake took 2600 ms, more than half of tls_timeout (5s)");
    upstream.tls_timeout = 0; /* no limit */
    ck_assert(is_well());
}
END_TEST

START_TEST(weights)
{
    upstream.weight_header = "X-MBX-USED-WEIGHT-1M";
    ck_assert(is_well());
    tells("weight      unknown: the answer has no X-MBX-USED-WEIGHT-1M");
    facts.has_weight = true;
    facts.weight = 4800;
    ck_assert(is_well());
    tells("weight      4800 used\n");
    upstream.weight_limit = 6001;
    ck_assert(is_well());
    tells("weight      4800 of 6001 used\n");
    upstream.weight_limit = 6000;
    is_ill("4800 of the weight of 6000 are used up: public requests are held");
}
END_TEST

START_TEST(answers)
{
    static const unsigned bad[] = {418, 429, 451, 500, 503};
    facts.status = 404;
    ck_assert(is_well());
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char words[60];
        facts.status = bad[i];
        snprintf(words, sizeof words, "it answered GET / with status %u", bad[i]);
        is_ill(words);
    }
    facts.known_path = true;
    facts.path = "/time";
    facts.status = 404;
    is_ill("it answered GET /time with status 404");
    facts.status = 200;
    ck_assert(is_well());
}
END_TEST

START_TEST(failures)
{
    facts = (struct checkup_facts){.failure = FAILURE_DNS_ERROR, .detail = "no such host"};
    is_ill("its name cannot be resolved: no such host");
    ck_assert_str_eq(strrchr(page.at, '!'), "! its name cannot be resolved: no such host\n");
    facts.failure = FAILURE_TLS_CERTIFICATE_ERROR;
    is_ill("its certificate is not trusted as exchange.test: no such host");
    upstream.tls_name = "other.test";
    is_ill("its certificate is not trusted as other.test: no such host");
    facts.failure = FAILURE_HTTP_PROTOCOL_ERROR;
    is_ill("its response is not valid: no such host");
}
END_TEST

START_TEST(without_tls)
{
    facts.secure = false;
    ck_assert(is_well());
    tells("TLS         none: the url is http\n");
    facts.secure = true;
    facts.alpn[0] = '\0';
    upstream.tls_verify = false;
    ck_assert(is_well());
    tells("TLSv1.3, ALPN none, handshake 25.1 ms, not verified (tls_verify = no)\n");
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(a_healthy_one);
    TEST(certificates_that_end);
    TEST(clocks);
    TEST(times_near_their_limit);
    TEST(weights);
    TEST(answers);
    TEST(failures);
    TEST(without_tls);
}
