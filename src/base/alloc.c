#include "base/alloc.h"

#include "base/log.h"

#define RESERVE (4 * 1024 * 1024)

static void *reserve;
static bool spent;

void alloc_prepare(void)
{
    if (reserve == NULL)
        reserve = malloc(RESERVE);
}

bool alloc_rescue(void)
{
    bool there = reserve != NULL;
    spent |= there;
    free(reserve);
    reserve = NULL;
    return there;
}

bool alloc_is_short(void)
{
    static struct log_seldom seldom;
    if (!spent)
        return false;
    alloc_prepare();
    spent = reserve == NULL;
    if (spent)
        log_seldom(&seldom, LOG_LEVEL_ERROR, "daemon", "out of memory: new requests are refused");
    return spent;
}
