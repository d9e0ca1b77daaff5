/* The page that compares two snapshots of /stats: rates, order, width, height, colours. */
#include "cli/stats_page.h"

#include <stdio.h>

#include "suite.h"

static struct text before, now, page;
static char why[200];

static void teardown(void)
{
    text_free(&before);
    text_free(&now);
    text_free(&page);
}

static void open_look(struct text *to, double uptime)
{
    text_printf(to,
                "{\"version\": \"1.0\", \"pid\": 7, \"uptime_s\": %.3f, \"draining\": false,"
                "\"clients\": {\"open\": 3}, \"requests\": {\"total\": 0, \"active\": 2},"
                "\"upstreams\": [",
                uptime);
}

/* With 1 hit and 3 misses at 100 requests, and 2 hits more for each 7 more. */
static void add(struct text *to, const char *name, const char *state, int requests, int errors)
{
    int more = requests > 100 ? (requests - 100) / 7 : 0;
    text_printf(to,
                "%s{\"name\": \"%s\", \"state\": \"%s\", \"connections\": {\"open\": 5,"
                "\"idle\": 4, \"active\": 1}, \"queue\": {\"waiting\": 6}, \"requests\":"
                "{\"total\": %d, \"errors\": {\"a\": %d, \"b\": 1}}, \"latency_ms\": {\"total\":"
                "{\"count\": 1, \"p99\": 99.5}}, \"recent\": {\"p99_ms\": [7.5, %s]},"
                "\"cache\": {\"hits\": %d, \"misses\": %d}}",
                to->at[to->len - 1] == '[' ? "" : ",", name, state, requests, errors,
                requests ? "12.5" : "null", 1 + 2 * more, 3 + more);
}

static const char *make(struct page_form form)
{
    text_clear(&page);
    ck_assert_msg(stats_page(text_span(&before), text_span(&now), &form, &page, why, sizeof why),
                  "%s", why);
    return page.at;
}

static size_t at(const char *what)
{
    const char *found = strstr(page.at, what);
    ck_assert_msg(found != NULL, "no %s in:\n%s", what, page.at);
    return (size_t)(found - page.at);
}

static void two_looks(void)
{
    open_look(&before, 10);
    add(&before, "quiet", "up", 100, 0);
    add(&before, "busy", "up", 100, 0);
    add(&before, "also", "up", 100, 0);
    add(&before, "broken", "open", 100, 0);
    text_add_str(&before, "]}");
    open_look(&now, 12);
    add(&now, "quiet", "up", 100, 0);
    add(&now, "busy", "up", 107, 3);
    add(&now, "also", "up", 100, 0);
    add(&now, "broken", "open", 100, 0);
    text_add_str(&now, "]}");
}

START_TEST(rates_are_of_the_time_between)
{
    two_looks();
    make((struct page_form){.columns = 80});
    at("busy             up            5     4     1     6    3.5    1.5   12.5  66.6\n");
    at("quiet            up            5     4     1     6    0.0    0.0   12.5     -\n");
    at("trunkline 1.0, pid 7, up 12s: 3 clients, 0.0 req/s, 2 active\n");
}
END_TEST

START_TEST(troubled_then_busy_then_by_name)
{
    two_looks();
    make((struct page_form){.columns = 80});
    ck_assert_uint_lt(at("broken"), at("\nbusy "));
    ck_assert_uint_lt(at("\nbusy "), at("also"));
    ck_assert_uint_lt(at("also"), at("quiet"));
}
END_TEST

START_TEST(a_first_look_has_no_rates)
{
    open_look(&now, 12);
    add(&now, "ex", "up", 107, 3);
    text_add_str(&now, "]}");
    make((struct page_form){.columns = 80});
    at("     6      -      -   12.5     -\n");
}
END_TEST

/* Counters or an uptime that decreased belong to another run of the daemon. */
START_TEST(a_restart_has_no_rates)
{
    open_look(&before, 100);
    add(&before, "ex", "up", 1, 0);
    text_add_str(&before, "]}");
    open_look(&now, 12);
    add(&now, "ex", "up", 107, 3);
    text_add_str(&now, "]}");
    make((struct page_form){.columns = 80});
    at("     6      -      -   12.5     -\n");
}
END_TEST

START_TEST(rows_that_do_not_fit_are_told)
{
    two_looks();
    const char *text = make((struct page_form){.columns = 80, .rows = 6});
    at("broken");
    at("\nbusy ");
    at("… 2 more\n");
    ck_assert_ptr_null(strstr(text, "also"));
    make((struct page_form){.columns = 80, .rows = 7});
    ck_assert_ptr_null(strstr(page.at, "more"));
    for (size_t rows = 1; rows < 9; rows++) {
        size_t lines = 0;
        for (const char *c = make((struct page_form){.columns = 80, .rows = rows}); *c; c++)
            lines += *c == '\n';
        ck_assert_uint_le(lines, rows);
    }
}
END_TEST

START_TEST(p99_is_that_of_the_last_step)
{
    open_look(&now, 12);
    add(&now, "quiet", "up", 0, 0);
    text_add_str(&now, "]}");
    make((struct page_form){.columns = 80});
    at("     6      -      -      -     -\n");
}
END_TEST

/* One line for each kind, however many there are; fewer rows of the table are shown to make
 * room. */
START_TEST(warnings_stand_below)
{
    open_look(&now, 12);
    text_add_str(&now, "{\"name\": \"a\", \"state\": \"up\", \"tls_verify\": false},"
                       "{\"name\": \"b\", \"state\": \"up\", \"tls_verify\": false,"
                       "\"tunnels\": {\"bypassing\": 2}},"
                       "{\"name\": \"c\", \"state\": \"up\", \"tls_verify\": true,"
                       "\"requests\": {\"unknown\": 3}}]}");
    make((struct page_form){.columns = 80});
    at("\nc ");
    at("\norders of unknown fate: c 3\nwarning: tls_verify = no: a, b\n"
       "warning: tunnels by CONNECT went past the pool: b\n");
    make((struct page_form){.columns = 80, .rows = 8});
    at("\na ");
    at("… 2 more\norders of unknown fate: c 3\nwarning: tls_verify");
    for (size_t rows = 1; rows < 10; rows++) {
        size_t lines = 0;
        for (const char *c = make((struct page_form){.columns = 20, .rows = rows}); *c; c++)
            lines += *c == '\n';
        ck_assert_uint_le(lines, rows);
    }
}
END_TEST

static void assert_columns(size_t most)
{
    for (struct span rest = text_span(&page); rest.len;) {
        size_t end = span_find(rest, '\n');
        ck_assert_msg(end <= most, "%zu columns: %.*s", end, (int)end, rest.at);
        rest = span_from(rest, end + 1);
    }
}

/* Any numbers, and any characters in a name. */
START_TEST(no_line_is_too_wide)
{
    open_look(&now, 1e9);
    add(&now, "a-name-that-is-longer-than-any-column-would-be", "half_open_or_more", 2000000000, 3);
    add(&now, "\\u001b[2J\\u009bx\\u00e9", "up", 0, 0);
    text_add_str(&now, "]}");
    make((struct page_form){.columns = 200});
    assert_columns(80);
    at("a-name-that-is-~ half_op~");
    ck_assert_ptr_null(strchr(page.at, '\033'));
    for (struct span rest = text_span(&page); rest.len; rest = span_from(rest, 1))
        ck_assert_int_gt(rest.at[0], 0);
    make((struct page_form){.columns = 33});
    assert_columns(33);
}
END_TEST

START_TEST(colours_only_when_asked)
{
    two_looks();
    ck_assert_ptr_null(strchr(make((struct page_form){.columns = 80}), '\033'));
    make((struct page_form){.columns = 80, .colours = true});
    at("\033[31mbroken");
    at("\033[33mbusy");
    at("\nalso");
    ck_assert_uint_eq(at("  66.6\033[0m\n") > 0, true);
}
END_TEST

START_TEST(another_document_is_refused)
{
    struct page_form form = {.columns = 80};
    ck_assert(!stats_page(SPAN(""), SPAN("{}"), &form, &page, why, sizeof why));
    ck_assert_str_eq(why, "not the /stats of a trunkline: it lists no upstreams");
    ck_assert(!stats_page(SPAN(""), SPAN("<html>"), &form, &page, why, sizeof why));
    ck_assert_uint_eq(page.len, 0);
    two_looks();
    ck_assert(stats_page(SPAN("<html>"), text_span(&now), &form, &page, why, sizeof why));
}
END_TEST

SUITE()
{
    FIXTURE(NULL, teardown);
    TEST(rates_are_of_the_time_between);
    TEST(troubled_then_busy_then_by_name);
    TEST(a_first_look_has_no_rates);
    TEST(a_restart_has_no_rates);
    TEST(rows_that_do_not_fit_are_told);
    TEST(p99_is_that_of_the_last_step);
    TEST(warnings_stand_below);
    TEST(no_line_is_too_wide);
    TEST(colours_only_when_asked);
    TEST(another_document_is_refused);
}
