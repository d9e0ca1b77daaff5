/* The table of `trunkline stats --rare`: only the branches that were taken, or all. */
#include "cli/rare_table.h"

#include "suite.h"

static const char some[] = "{\"upstreams\":[],\"rare\":["
                           "{\"name\":\"dns_stale\",\"place\":\"net/dns.c\",\"count\":0},"
                           "{\"name\":\"h2_goaway\",\"place\":\"protocol/h2_conn.c\","
                           "\"count\":1234567}]}";
static struct text out;
static char why[200];

static void teardown(void)
{
    text_free(&out);
}

static const char *table(const char *document, bool all)
{
    text_clear(&out);
    ck_assert_msg(rare_table(span_of(document), all, &out, why, sizeof why), "%s", why);
    return out.at;
}

START_TEST(what_was_taken_or_all)
{
    ck_assert_str_eq(table(some, false), "rare branch place               count\n"
                                         "h2_goaway   protocol/h2_conn.c  1.23M\n");
    ck_assert_str_eq(table(some, true), "rare branch place               count\n"
                                        "dns_stale   net/dns.c               0\n"
                                        "h2_goaway   protocol/h2_conn.c  1.23M\n");
    ck_assert_str_eq(table("{\"rare\":[]}", false), "no rare branch was taken since the start\n");
}
END_TEST

START_TEST(no_such_document)
{
    static const char *const bad[] = {"", "{}", "<html>", "{\"rare\":1}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert(!rare_table(span_of(bad[i]), true, &out, why, sizeof why));
        ck_assert_ptr_nonnull(strstr(why, "not the /stats?rare of a trunkline"));
    }
}
END_TEST

SUITE()
{
    FIXTURE(NULL, teardown);
    TEST(what_was_taken_or_all);
    TEST(no_such_document);
}
