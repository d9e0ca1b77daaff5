#include "protocol/close_reason.h"

#include "base/check.h"

const char *close_reason_name(enum close_reason reason)
{
    static const char *const names[] = {
#define CLOSE_REASON(name, key, meaning) key,
#include "protocol/close_reason.def"
#undef CLOSE_REASON
    };
    CHECK(reason < COUNT_OF(names));
    return names[reason];
}
