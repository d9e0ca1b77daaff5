#include "upstream/stats.h"

const char *close_reason_name(enum close_reason reason)
{
    static const char *const names[] = {
#define CLOSE_REASON(name, key, meaning) key,
#include "upstream/close_reason.def"
#undef CLOSE_REASON
    };
    CHECK(reason < COUNT_OF(names));
    return names[reason];
}

void stats_free(struct upstream_stats *s)
{
#define COUNTER(member, path, meaning)
#define PHASE(member, key, meaning) histogram_free(&s->member);
#include "upstream/stats.def"
#undef COUNTER
#undef PHASE
}
