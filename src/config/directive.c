#include "config/directive.h"

#include <limits.h>

#include "config/config.h"

#define SECOND UINT64_C(1000)
#define YEAR (365 * 24 * 3600 * SECOND)
#define MEBIBYTE (UINT64_C(1) << 20)

const struct directive directives[ALL_ROWS] = {
#define GLOBAL(kind, directive, value, meaning)                                                    \
    [ROW_GLOBAL_##                                                                                 \
        directive] = {KIND_##kind, #directive, value, offsetof(struct config, directive), false},
#define OF_UPSTREAM(kind, directive, value, in_path)                                               \
    [ROW_##directive] = {KIND_##kind, #directive, value,                                           \
                         offsetof(struct upstream_config, directive), in_path},
#define UPSTREAM(kind, directive, value, meaning) OF_UPSTREAM(kind, directive, value, false)
#define PATH(kind, directive, value, meaning) OF_UPSTREAM(kind, directive, value, true)
#include "config/config.def"
#undef GLOBAL
#undef UPSTREAM
};

bool directive_in_defaults(const struct directive *d)
{
    switch (directive_row(d)) {
    case ROW_url:
    case ROW_preset:
    case ROW_listen:
    case ROW_connect_to:
    case ROW_tls_name: return false;
    default: return true;
    }
}

/* Where 0 means "at once" or "no limit", and where numbers have other bounds
 * than most of their kind. */
static const struct {
    enum directive_row row;
    uint64_t min, max;
} ranges[] = {
    {ROW_GLOBAL_max_clients, 1, 1000000},
    {ROW_GLOBAL_max_header_size, 256, 16 * MEBIBYTE},
    {ROW_GLOBAL_max_uri_size, 64, 16 * MEBIBYTE},
    {ROW_GLOBAL_drain_timeout, 0, YEAR},
    {ROW_GLOBAL_cache_size, 0, 1024 * 1024 * MEBIBYTE},
    {ROW_GLOBAL_dns_min_ttl, 0, YEAR},
    {ROW_GLOBAL_dns_stale, 0, YEAR},
    {ROW_GLOBAL_slow_log, 0, YEAR},
    {ROW_max_connections, 1, 65535},
    {ROW_max_streams, 1, 65535},
    {ROW_max_idle, 0, 65535},
    {ROW_min_idle, 0, 65535},
    {ROW_max_age, 0, YEAR},
    {ROW_queue_limit, 0, 1000000},
    {ROW_queue_timeout, 0, YEAR},
    {ROW_transfer_timeout, 0, YEAR},
    {ROW_order_wait, 0, YEAR},
    {ROW_retries, 0, 100},
    {ROW_fresh, 0, YEAR},
    {ROW_stale_if_error, 0, YEAR},
    {ROW_cache_max_object, 1, 64 * MEBIBYTE},
    {ROW_burst, 0, 1000000},
    {ROW_hold_default, 1, 3600 * SECOND},
    {ROW_hold_max, 1, 3600 * SECOND},
    {ROW_breaker_failures, 1, 1000000},
};

void directive_range(const struct directive *d, uint64_t *min, uint64_t *max)
{
    *min = d->kind == KIND_COUNT ? 0 : 1;
    *max = d->kind == KIND_COUNT ? UINT_MAX : d->kind == KIND_SIZE ? 1024 * MEBIBYTE : YEAR;
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        if (ranges[i].row == directive_row(d)) {
            *min = ranges[i].min;
            *max = ranges[i].max;
        }
    }
}
