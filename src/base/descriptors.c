#include "base/descriptors.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/log.h"

#define SPARE_MOST 64

static size_t allowed; /* 0: not queried yet */

static size_t limit_now(void)
{
    struct rlimit limit;
    if (allowed == 0)
        allowed = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : SIZE_MAX;
    return allowed;
}

size_t descriptors_raise(size_t wanted)
{
    struct rlimit limit;
    allowed = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* the limit now in force is queried below */
    }
    return limit_now();
}

enum descriptors descriptors_beside(int fd)
{
    size_t limit = limit_now(), used = (size_t)fd + 1, left = used < limit ? limit - used : 0;
    size_t spare = limit / 8 < SPARE_MOST ? limit / 8 : SPARE_MOST;
    if (left >= spare)
        return DESCRIPTORS_ENOUGH;
    return left >= spare / 2   ? DESCRIPTORS_FEW
           : left >= spare / 4 ? DESCRIPTORS_SCARCE
                               : DESCRIPTORS_GONE;
}

void descriptors_complain(const char *object, const char *what)
{
    static struct log_seldom seldom;
    char words[200];
    snprintf(words, sizeof words,
             "out of file descriptors (%zu allowed): %s; see LimitNOFILE= or ulimit -n",
             limit_now(), what);
    log_seldom(&seldom, LOG_LEVEL_ERROR, object, words);
}
