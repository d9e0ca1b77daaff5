#include "proxy/fetch_log.h"

#include <inttypes.h>

#include "base/log.h"

void fetch_log_elsewhere(const struct fetch_order *o, const struct line_facts *line, unsigned tries)
{
    LOG(DEBUG, pool_origin(o->pool)->name,
        "attempt %u was answered 421; trying again on a new connection line=%" PRIu64 " id=%s",
        tries, line->number, request_id_text(&o->id));
}

void fetch_log_serialized(const struct fetch_order *o)
{
    LOG(DEBUG, pool_origin(o->pool)->name, "waits for an earlier request with the same %s id=%s",
        o->settings->serialize_by, request_id_text(&o->id));
}

void fetch_log_held(const struct fetch_order *o, const struct gate_waiter *w)
{
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    struct verdict why = gate_refusal(w);
    LOG(DEBUG, pool_origin(o->pool)->name, "held: %s id=%s", why.detail, request_id_text(&o->id));
}
