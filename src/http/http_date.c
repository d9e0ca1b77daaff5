#include "http/http_date.h"

#include <time.h>

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const long_days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};

/* Each of these removes what it is named after from the front, or returns false. */

static bool take(struct span *rest, const char *text)
{
    struct span expected = span_of(text);
    if (!span_starts(*rest, expected))
        return false;
    *rest = span_from(*rest, expected.len);
    return true;
}

static bool take_name(struct span *rest, const char *const *names, size_t count, int *which)
{
    for (size_t i = 0; i < count; i++) {
        if (take(rest, names[i])) {
            *which = (int)i;
            return true;
        }
    }
    return false;
}

static bool take_number(struct span *rest, size_t digits, int *number)
{
    if (rest->len < digits)
        return false;
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        if (rest->at[i] < '0' || rest->at[i] > '9')
            return false;
        *number = *number * 10 + (rest->at[i] - '0');
    }
    *rest = span_from(*rest, digits);
    return true;
}

static bool take_time(struct span *rest, struct tm *t)
{
    return take_number(rest, 2, &t->tm_hour) && take(rest, ":") &&
           take_number(rest, 2, &t->tm_min) && take(rest, ":") && take_number(rest, 2, &t->tm_sec);
}

static bool take_month(struct span *rest, struct tm *t)
{
    return take_name(rest, months, COUNT_OF(months), &t->tm_mon);
}

static bool take_year(struct span *rest, struct tm *t)
{
    if (!take_number(rest, 4, &t->tm_year))
        return false;
    t->tm_year -= 1900;
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_fixdate(struct span rest, struct tm *t)
{
    int day;
    return take_name(&rest, days, COUNT_OF(days), &day) && take(&rest, ", ") &&
           take_number(&rest, 2, &t->tm_mday) && take(&rest, " ") && take_month(&rest, t) &&
           take(&rest, " ") && take_year(&rest, t) && take(&rest, " ") && take_time(&rest, t) &&
           take(&rest, " GMT") && rest.len == 0;
}

/* Two digits stand for the nearest year that ends in them, at most 50 years in the future
 * (RFC 9110 5.6.7). */
static int whole_year(int digits, int64_t now_s)
{
    time_t now = (time_t)now_s;
    struct tm t;
    gmtime_r(&now, &t);
    int year = t.tm_year + 1900;
    int guess = year - year % 100 + digits;
    if (guess > year + 50)
        return guess - 100;
    return guess <= year - 50 ? guess + 100 : guess;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool read_rfc850(struct span rest, struct tm *t, int64_t now_s)
{
    int day;
    if (!take_name(&rest, long_days, COUNT_OF(long_days), &day) || !take(&rest, ", ") ||
        !take_number(&rest, 2, &t->tm_mday) || !take(&rest, "-") || !take_month(&rest, t) ||
        !take(&rest, "-") || !take_number(&rest, 2, &t->tm_year))
        return false;
    t->tm_year = whole_year(t->tm_year, now_s) - 1900;
    return take(&rest, " ") && take_time(&rest, t) && take(&rest, " GMT") && rest.len == 0;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(struct span rest, struct tm *t)
{
    int day;
    return take_name(&rest, days, COUNT_OF(days), &day) && take(&rest, " ") &&
           take_month(&rest, t) && take(&rest, " ") &&
           take_number(&rest, take(&rest, " ") ? 1 : 2, &t->tm_mday) && take(&rest, " ") &&
           take_time(&rest, t) && take(&rest, " ") && take_year(&rest, t) && rest.len == 0;
}

bool http_date_read(struct span text, int64_t now_s, int64_t *at_s)
{
    struct tm t = {0};
    if (!read_fixdate(text, &t) && !read_rfc850(text, &t, now_s) && !read_asctime(text, &t))
        return false;
    if (t.tm_hour > 23 || t.tm_min > 59 || t.tm_sec > 60)
        return false;
    int day = t.tm_mday, leap = t.tm_sec == 60;
    t.tm_sec -= leap;
    *at_s = timegm(&t) + leap;
    return t.tm_mday == day; /* there is no 31 February */
}
