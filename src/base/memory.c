#include "base/memory.h"

#include "base/log.h"

#define RESERVE (4 * 1024 * 1024)

static void *reserve;
static bool spent;

void memory_prepare(void)
{
    if (reserve == NULL)
        reserve = malloc(RESERVE);
}

bool memory_rescue(void)
{
    bool there = reserve != NULL;
    spent |= there;
    free(reserve);
    reserve = NULL;
    return there;
}

bool memory_is_short(void)
{
    static struct log_seldom seldom;
    if (!spent)
        return false;
    memory_prepare();
    spent = reserve == NULL;
    if (spent)
        log_seldom(&seldom, LOG_LEVEL_ERROR, "daemon", "out of memory: new requests are refused");
    return spent;
}
