/* HTTP dates in their three formats, and Retry-After, which may be one. */
#include "budget/retry_after.h"
#include "http/http_date.h"
#include "suite.h"

#define NONE RETRY_AFTER_NOT_TOLD
#define YEAR INT64_C(31622400)
#define THEN INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */

static bool reads(const char *text, int64_t now_s, int64_t expected)
{
    int64_t at = -1;
    return http_date_read(span_of(text), now_s, &at) && at == expected;
}

static bool refuses(const char *text)
{
    int64_t at;
    return !http_date_read(span_of(text), THEN, &at);
}

START_TEST(test_formats)
{
    ck_assert(reads("Sun, 06 Nov 1994 08:49:37 GMT", 0, THEN));
    ck_assert(reads("Sunday, 06-Nov-94 08:49:37 GMT", THEN, THEN));
    ck_assert(reads("Sun Nov  6 08:49:37 1994", 0, THEN));
    ck_assert(reads("Wed Nov 16 08:49:37 1994", 0, THEN + 10 * 86400));
    ck_assert(reads("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0));
    ck_assert(reads("Thu, 29 Feb 2024 23:59:59 GMT", 0, 1709251199));
    ck_assert(reads("Sat, 31 Dec 2016 23:59:60 GMT", 0, 1483228800)); /* a leap second */
}
END_TEST

/* A two-digit year is the one nearest to now, at most 50 years in the future. */
START_TEST(test_century)
{
    static const struct {
        const char *text;
        int64_t now_s, at_s;
    } rows[] = {
        {"Friday, 01-Jan-27 00:00:00 GMT", 1795000000 /* 2026 */, 1798761600 /* 2027 */},
        {"Saturday, 01-Jan-76 00:00:00 GMT", 1795000000, 3345062400 /* 2076 */},
        {"Saturday, 01-Jan-77 00:00:00 GMT", 1795000000, 220924800 /* 1977 */},
        {"Friday, 01-Jan-00 00:00:00 GMT", 4087000000 /* 2099 */, 4102444800 /* 2100 */},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(reads(rows[i].text, rows[i].now_s, rows[i].at_s), "%s", rows[i].text);
}
END_TEST

START_TEST(test_no_dates)
{
    static const char *const rows[] = {
        "",
        "0",
        "now",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 00:00:00 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  6 08:49:37 94",
        "1994-11-06T08:49:37Z",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(refuses(rows[i]), "%s", rows[i]);
    const char *whole = "Sunday, 06-Nov-94 08:49:37 GMT";
    int64_t at;
    for (size_t len = 0; len < strlen(whole); len++)
        ck_assert(!http_date_read((struct span){whole, len}, THEN, &at));
}
END_TEST

START_TEST(test_retry_after)
{
    static const struct {
        const char *value;
        int64_t seconds;
    } rows[] = {
        {"", NONE},
        {"0", 0},
        {"3", 3},
        {" 120 ", 120},
        {"007", 7},
        {"3599", 3599},
        {"7300", 7300},
        {"31622400", YEAR},
        {"31622401", YEAR},
        {"18446744073709551617", YEAR},
        {"-1", NONE},
        {"+1", NONE},
        {"1.5", NONE},
        {"3s", NONE},
        {"3, 4", NONE},
        {"soon", NONE},
        {"\xb2", NONE},
        {"1e9", NONE},
        {"5, 60", NONE},
        {"Sun, 06 Nov 1994 08:49:40 GMT", 3},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60},
        {"Sun Nov  6 08:49:38 1994", 1},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Fri, 31 Dec 9999 23:59:59 GMT", YEAR},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_assert_msg(retry_after_s(span_of(rows[i].value), THEN) == rows[i].seconds, "%s",
                      rows[i].value);
    ck_assert_int_eq(retry_after_s((struct span){0}, THEN), NONE);
}
END_TEST

SUITE()
{
    TEST(test_formats);
    TEST(test_century);
    TEST(test_no_dates);
    TEST(test_retry_after);
}
