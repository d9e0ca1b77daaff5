/* The dashboard as it is sent: it is self-contained, and its security policy matches its text. */
#include "pages/dashboard.h"

#include <mbedtls/base64.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <string.h>

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

START_TEST(the_page_is_whole)
{
    struct span page = dashboard_page();
    ck_assert(span_starts(page, SPAN("<!DOCTYPE html>\n")));
    ck_assert(page.len > 10000 && page.at[page.len - 1] == '\n');
    ck_assert_ptr_nonnull(strstr(page.at, "</html>"));
    ck_assert_ptr_nonnull(strstr(page.at, "\n'use strict';\n"));
}
END_TEST

/* Its own policy blocks nothing in it, and it loads nothing from elsewhere. */
START_TEST(it_is_self_contained)
{
    static const char *const forbidden[] = {
        "src=",  "style=",      "onclick",  "onload",    "innerHTML",     "@import",
        "eval(", "javascript:", "https://", "outerHTML", "insertAdjacent"};
    const char *page = dashboard_page().at;
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        ck_assert_msg(strstr(page, forbidden[i]) == NULL, "the page has %s", forbidden[i]);
    const char *address = strstr(page, "http://"); /* SVG's namespace, which is not fetched */
    ck_assert_ptr_nonnull(address);
    ck_assert_int_eq(strncmp(address, "http://www.w3.org/2000/svg'", 27), 0);
    ck_assert_ptr_null(strstr(address + 1, "http://"));
}
END_TEST

static void hash_is(const char *policy, const char *directive, const char *open, const char *close)
{
    unsigned char digest[32], base64[48], words[100];
    size_t len;
    const char *from = strstr(dashboard_page().at, open) + strlen(open);
    mbedtls_sha256((const unsigned char *)from, (size_t)(strstr(from, close) - from), digest, 0);
    mbedtls_base64_encode(base64, sizeof base64, &len, digest, sizeof digest);
    snprintf((char *)words, sizeof words, "%s 'sha256-%s';", directive, base64);
    ck_assert_msg(strstr(policy, (char *)words) != NULL, "no %s in %s", words, policy);
}

START_TEST(the_policy_names_script_and_style)
{
    struct span s = dashboard_policy(arena);
    char policy[600] = "";
    memcpy(policy, s.at, s.len);
    ck_assert(span_starts(s, SPAN("default-src 'none'; ")));
    hash_is(policy, "script-src", "<script>", "</script>");
    hash_is(policy, "style-src", "<style>", "</style>");
    ck_assert_ptr_nonnull(strstr(policy, "frame-ancestors 'none'"));
    ck_assert_ptr_null(strstr(policy, "unsafe"));
    ck_assert_ptr_null(strstr(policy, "*"));
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(the_page_is_whole);
    TEST(it_is_self_contained);
    TEST(the_policy_names_script_and_style);
}
