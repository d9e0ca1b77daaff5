#include "config/complaint.h"

#include <stdarg.h>
#include <stdio.h>

void complaint_add(struct complaints *c, int line, const char *format, ...)
{
    char message[512], all[5000];
    va_list args;
    c->any = true;
    if (c->to == NULL)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    for (char *p = message; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    if (line > 0)
        snprintf(all, sizeof all, "%s:%d: %s", c->path, line, message);
    else
        snprintf(all, sizeof all, "%s: %s", c->path, message);
    c->to(c->context, all);
}
