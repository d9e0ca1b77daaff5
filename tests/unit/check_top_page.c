/* The tables of `trunkline top`: what they show, how they are sorted, and the keys. */
#include "cli/top_page.h"

#include <stdio.h>

#include "suite.h"

static struct top top;
static struct text out;
static struct page_form form;
static char error[200];

static const char requests[] =
    "{\"requests\":["
    "{\"age_ms\":12.5,\"state\":\"awaiting\",\"sent\":\"yes\",\"upstream\":\"kraken\",\"line\":7,"
    "\"bot\":\"grid1\",\"client\":\"127.0.0.1:5\",\"method\":\"GET\",\"target\":\"/a\"},"
    "{\"age_ms\":90000,\"state\":\"queued\",\"sent\":\"no\",\"upstream\":\"binance\",\"line\":null,"
    "\"bot\":null,\"client\":\"unix\",\"method\":\"POST\",\"target\":\"/b\\u001b[2J\"}]}";
static const char upstreams[] =
    "{\"pid\":1,\"uptime_s\":%d,\"version\":\"1\",\"upstreams\":["
    "{\"name\":\"kraken\",\"state\":\"up\",\"connections\":{\"open\":3,\"idle\":2,\"active\":1,"
    "\"opened\":3},\"queue\":{\"waiting\":0},\"requests\":{\"total\":%d,\"errors\":{\"a\":1},"
    "\"unknown\":0}},"
    "{\"name\":\"okx\",\"state\":\"open\",\"connections\":{\"open\":0},\"requests\":{\"total\":5}}]"
    "}";

static void setup(void)
{
    top_init(&top);
    form = (struct page_form){0};
}

static void teardown(void)
{
    text_free(&out);
}

static const char *page(const char *before, const char *now)
{
    text_clear(&out);
    ck_assert_msg(top_page(&top, span_of(before), span_of(now), &form, &out, error, sizeof error),
                  "%s", error);
    return out.at;
}

/* Is the first before the second on the page? */
static bool comes_first(const char *a, const char *b)
{
    const char *x = strstr(out.at, a), *y = strstr(out.at, b);
    ck_assert_msg(x && y, "%s or %s is not in:\n%s", a, b, out.at);
    return x < y;
}

START_TEST(the_oldest_request_is_first)
{
    page("", requests);
    ck_assert(comes_first("binance", "kraken"));
    ck_assert_ptr_nonnull(strstr(out.at, "1m 30s"));
    ck_assert_ptr_nonnull(strstr(out.at, "12ms"));
    ck_assert_ptr_nonnull(strstr(out.at, "requests: 2, by age, descending\n"));
    ck_assert_ptr_nonnull(strstr(out.at, "AGE "));
}
END_TEST

START_TEST(nothing_steers_the_terminal)
{
    page("", requests);
    ck_assert_ptr_nonnull(strstr(out.at, "/b?[2J"));
    ck_assert_ptr_null(strchr(out.at, '\033'));
}
END_TEST

START_TEST(sorted_by_any_column)
{
    ck_assert(top_sort(&top, "upstream", NULL)); /* words from a to z */
    page("", requests);
    ck_assert(comes_first("binance", "kraken"));
    ck_assert(top_sort(&top, "upstream", NULL)); /* the same again: the other way round */
    page("", requests);
    ck_assert(comes_first("kraken", "binance"));
    ck_assert(top_sort(&top, "line", NULL)); /* null is less than any number */
    page("", requests);
    ck_assert(comes_first("kraken", "binance"));
    struct text titles = {0};
    ck_assert(!top_sort(&top, "size", &titles));
    ck_assert_str_eq(titles.at, "age, state, sent, upstream, line, bot, client, method, target");
    text_free(&titles);
}
END_TEST

START_TEST(one_upstream_alone)
{
    top.upstream = "kraken";
    page("", requests);
    ck_assert_ptr_nonnull(strstr(out.at, "requests: 1 of kraken"));
    ck_assert_ptr_null(strstr(out.at, "binance"));
}
END_TEST

START_TEST(keys_change_table_and_order)
{
    ck_assert(top_key(&top, '2') && top.view == TOP_CONNECTIONS);
    ck_assert_str_eq(top_path(&top), "/connections");
    ck_assert(top_key(&top, '\t') && top.view == TOP_UPSTREAMS);
    ck_assert(top_key(&top, '\t') && top.view == TOP_REQUESTS);
    ck_assert(top_key(&top, '>') && top.order[TOP_REQUESTS].column == 1);
    ck_assert(!top.order[TOP_REQUESTS].descending);
    ck_assert(top_key(&top, '<') && top_key(&top, '<'));
    ck_assert_uint_eq(top.order[TOP_REQUESTS].column, 8); /* round to the last */
    ck_assert(top_key(&top, 'r') && top.order[TOP_REQUESTS].descending);
    ck_assert(!top_key(&top, 'x'));
}
END_TEST

START_TEST(help_and_back)
{
    ck_assert(top_key(&top, 'h') && top.helps);
    ck_assert_ptr_nonnull(strstr(page("", requests), "q    quit"));
    ck_assert(top_key(&top, 'x') && !top.helps); /* any key leaves it */
    ck_assert(top_key(&top, '?') && top_key(&top, '?') && !top.helps);
}
END_TEST

START_TEST(rates_are_of_the_time_between)
{
    char before[sizeof upstreams + 20], now[sizeof upstreams + 20];
    snprintf(before, sizeof before, upstreams, 10, 100);
    snprintf(now, sizeof now, upstreams, 12, 150);
    ck_assert(top_show(&top, "upstreams") && !top_show(&top, "lines"));
    page(before, now);
    ck_assert_ptr_nonnull(strstr(out.at, " 25.0 "));
    page("", now);
    ck_assert_ptr_null(strstr(out.at, " 25.0 "));
    page(now, before); /* a daemon that has restarted */
    ck_assert_ptr_null(strstr(out.at, "25.0"));
    form.colours = true;
    page("", now);
    ck_assert_ptr_nonnull(strstr(out.at, "\033[31mokx")); /* in trouble */
}
END_TEST

START_TEST(fits_the_terminal)
{
    for (form.rows = 1; form.rows < 6; form.rows++)
        for (form.columns = 1; form.columns < 40; form.columns++) {
            size_t rows = 0;
            for (const char *line = page("", requests), *end; (end = strchr(line, '\n'));
                 line = end + 1, rows++)
                if (*line != '\xe2') /* "… 2 more" */
                    ck_assert_uint_le((size_t)(end - line), form.columns);
            ck_assert_uint_le(rows, form.rows);
        }
}
END_TEST

START_TEST(other_documents_are_refused)
{
    ck_assert(!top_page(&top, SPAN(""), SPAN("{\"a\":1}"), &form, &out, error, sizeof error));
    ck_assert_str_eq(error, "not the /requests of a trunkline: the document lists none");
    ck_assert(!top_page(&top, SPAN(""), SPAN("<html>"), &form, &out, error, sizeof error));
    page("[1", "{\"requests\":[1,{},null,{\"age_ms\":\"x\",\"state\":4}]}");
}
END_TEST

SUITE()
{
    FIXTURE(setup, teardown);
    TEST(the_oldest_request_is_first);
    TEST(nothing_steers_the_terminal);
    TEST(sorted_by_any_column);
    TEST(one_upstream_alone);
    TEST(keys_change_table_and_order);
    TEST(help_and_back);
    TEST(rates_are_of_the_time_between);
    TEST(fits_the_terminal);
    TEST(other_documents_are_refused);
}
