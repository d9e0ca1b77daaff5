#include "base/check.h"

#include <stdio.h>

void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "trunkline: Assertion `%s` failed at %s:%d\n", what, file, line);
    abort();
}
