#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum log_level threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    threshold = level;
}

bool log_enabled(enum log_level level)
{
    return level <= threshold;
}

void log_write(enum log_level level, const char *object, const char *format, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char line[1024];
    int n = snprintf(line, sizeof line - 1, "%s %s: ", names[level], object);
    if (n > 200)
        n = 200;
    va_list args;
    va_start(args, format);
    n += vsnprintf(line + n, sizeof line - 1 - (size_t)n, format, args);
    va_end(args);
    if ((size_t)n > sizeof line - 2)
        n = sizeof line - 2;
    for (char *p = line; p < line + n; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    line[n] = '\n';
    fwrite(line, 1, (size_t)n + 1, stderr);
}
