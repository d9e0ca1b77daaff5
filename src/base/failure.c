#include "base/failure.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    int status;
} rows[] = {
#define FAILURE(name, text, status, others, meaning) {text, status},
#include "base/failure.def"
#undef FAILURE
};

const char *failure_name(enum failure f)
{
    return rows[f].name;
}

int failure_status(enum failure f)
{
    return rows[f].status;
}

const char *sent_name(enum sent s)
{
    static const char *const names[] = {"no", "partial", "yes"};
    return names[s];
}

struct verdict verdict_make(enum failure f, enum sent sent, const char *format, ...)
{
    struct verdict v = {.error = f, .sent = sent};
    va_list args;
    va_start(args, format);
    vsnprintf(v.detail, sizeof v.detail, format, args);
    va_end(args);
    return v;
}

int verdict_status(const struct verdict *v)
{
    return v->status ? v->status : failure_status(v->error);
}
