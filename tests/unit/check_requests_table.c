/* The table of `trunkline requests`: its columns, width and height, and the filter for one
 * upstream. */
#include "cli/requests_table.h"

#include <stdio.h>

#include "suite.h"

#define ROW(age, upstream, state, line)                                                            \
    "{\"id\":\"06f3k9d2q4ab-1\",\"age_ms\":" age ",\"client\":\"127.0.0.1:5\",\"bot\":null,"       \
    "\"upstream\":" upstream ",\"method\":\"GET\",\"target\":\"/a\\u001bb\",\"state\":\"" state    \
    "\",\"line\":" line ",\"address\":\"192.0.2.1:443\",\"sent\":\"no\",\"left\":false}"
#define DOCUMENT(rows) "{\"requests\":[" rows "]}"

static const char three[] = DOCUMENT(ROW("200000.5", "\"ex\"", "queued", "null") "," ROW(
    "1500", "\"kraken\"", "awaiting", "12") "," ROW("7.4", "null", "awaiting", "3"));
static struct text out;
static char why[200];

static void teardown(void)
{
    text_free(&out);
}

static const char *table(const char *document, const char *upstream, struct page_form form)
{
    text_clear(&out);
    ck_assert_msg(requests_table(span_of(document), upstream, &form, &out, why, sizeof why), "%s",
                  why);
    return out.at;
}

START_TEST(all_columns)
{
    ck_assert_str_eq(table(three, NULL, (struct page_form){0}),
                     "3 requests under way: 1 queued, 2 awaiting\n"
                     "   age state    sent upstream line address       client      bot id          "
                     "   method target\n"
                     "3m 20s queued   no   ex          - 192.0.2.1:443 127.0.0.1:5 -   "
                     "06f3k9d2q4ab-1 GET    /a?b\n"
                     "  1.5s awaiting no   kraken     12 192.0.2.1:443 127.0.0.1:5 -   "
                     "06f3k9d2q4ab-1 GET    /a?b\n"
                     "   7ms awaiting no   -           3 192.0.2.1:443 127.0.0.1:5 -   "
                     "06f3k9d2q4ab-1 GET    /a?b\n");
}
END_TEST

START_TEST(clients_that_have_left)
{
    static const char left[] = DOCUMENT("{\"client\":\"unix\",\"left\":true},"
                                        "{\"client\":\"127.0.0.1:5\",\"left\":false}");
    table(left, NULL, (struct page_form){0});
    ck_assert_ptr_nonnull(strstr(out.at, " unix (left) -"));
    ck_assert_ptr_nonnull(strstr(out.at, " 127.0.0.1:5 -"));
}
END_TEST

START_TEST(one_upstream)
{
    ck_assert_ptr_nonnull(
        strstr(table(three, "kraken", (struct page_form){0}), "1 request under way: 1 awaiting\n"));
    ck_assert_ptr_null(strstr(out.at, "3m 20s"));
    ck_assert_str_eq(table(three, "other", (struct page_form){0}), "0 requests under way\n");
    text_clear(&out);
    ck_assert(requests_of_upstream(span_of(three), "ex", &out, why, sizeof why));
    ck_assert_msg(strncmp(out.at, "{\"requests\":[{\"id\":\"06f3k9d2q4ab-1\",\"age_ms\":200000.5,",
                          40) == 0 &&
                      strstr(out.at, "kraken") == NULL,
                  "%s", out.at);
}
END_TEST

START_TEST(width_and_height)
{
    table(three, NULL, (struct page_form){.columns = 20, .rows = 4});
    ck_assert_str_eq(out.at, "3 requests under way\n"
                             "   age state  sent u\n"
                             "3m 20s queued no   e\n"
                             "… 2 more\n");
    table(three, NULL, (struct page_form){.columns = 20, .rows = 1});
    ck_assert_str_eq(out.at, "3 requests under way\n");
    table(three, NULL, (struct page_form){.columns = 200, .rows = 5});
    ck_assert_ptr_null(strstr(out.at, "more"));
}
END_TEST

START_TEST(no_such_document)
{
    static const char *const bad[] = {"", "{}", "[]", "<html>", "{\"requests\":{}}"};
    static const struct page_form form;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert(!requests_table(span_of(bad[i]), NULL, &form, &out, why, sizeof why));
        ck_assert_ptr_nonnull(strstr(why, "not the /requests of a trunkline"));
        ck_assert(!requests_of_upstream(span_of(bad[i]), NULL, &out, why, sizeof why));
    }
    ck_assert_uint_eq(out.len, 0);
    ck_assert_ptr_nonnull(table(DOCUMENT("1, {}, null"), NULL, form));
}
END_TEST

SUITE()
{
    FIXTURE(NULL, teardown);
    TEST(all_columns);
    TEST(clients_that_have_left);
    TEST(one_upstream);
    TEST(width_and_height);
    TEST(no_such_document);
}
