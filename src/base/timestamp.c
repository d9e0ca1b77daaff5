#include "base/timestamp.h"

#include <stdio.h>

const char *timestamp_text(char text[TIMESTAMP_SIZE], const struct timespec *at)
{
    struct tm utc;
    gmtime_r(&at->tv_sec, &utc);
    size_t len = strftime(text, TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, TIMESTAMP_SIZE - len, ".%03dZ", (int)(at->tv_nsec / 1000000));
    return text;
}
