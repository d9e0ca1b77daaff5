#include "upstream/retry_after.h"

#include "http/http_date.h"

static bool read_seconds(struct span value, int64_t *seconds)
{
    *seconds = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
        if (*seconds <= RETRY_AFTER_MAX_S)
            *seconds = *seconds * 10 + (value.at[i] - '0');
    }
    return value.len > 0;
}

unsigned retry_after_s(struct span value, int64_t now_s)
{
    int64_t seconds, date;
    value = span_trim(value);
    if (!read_seconds(value, &seconds)) {
        if (!http_date_read(value, now_s, &date))
            return 0;
        seconds = date - now_s;
    }
    if (seconds < 0)
        return 0;
    return seconds < RETRY_AFTER_MAX_S ? (unsigned)seconds : RETRY_AFTER_MAX_S;
}
