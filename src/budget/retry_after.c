#include "budget/retry_after.h"

#include "http/http_date.h"

#define SECONDS_MOST INT64_C(31622400)

static int64_t at_most(int64_t seconds)
{
    return seconds < SECONDS_MOST ? seconds : SECONDS_MOST;
}

static bool read_seconds(struct span value, int64_t *seconds)
{
    *seconds = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        *seconds = at_most(*seconds * 10 + (value.at[i] - '0'));
    }
    return value.len > 0;
}

int64_t retry_after_s(struct span value, int64_t now_s)
{
    int64_t seconds, date;
    value = span_trim(value);
    if (read_seconds(value, &seconds))
        return seconds;
    if (!http_date_read(value, now_s, &date))
        return RETRY_AFTER_NOT_TOLD;
    return date > now_s ? at_most(date - now_s) : 0;
}
