#include "protocol/keep_alive.h"

#define SECONDS_MOST (UINT64_C(366) * 86400)

/* Digits only, with or without quotes; more than a year counts as a year. */
static bool read_seconds(struct span s, uint64_t *seconds)
{
    if (s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"')
        s = (struct span){s.at + 1, s.len - 2};
    *seconds = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        *seconds = *seconds * 10 + (uint64_t)(s.at[i] - '0');
        if (*seconds > SECONDS_MOST)
            *seconds = SECONDS_MOST;
    }
    return s.len > 0;
}

static bool read_timeout(struct span parameter, uint64_t *seconds)
{
    size_t name = span_find(parameter, '=');
    return name < parameter.len &&
           span_is_nocase(span_trim(span_first(parameter, name)), SPAN("timeout")) &&
           read_seconds(span_trim(span_from(parameter, name + 1)), seconds);
}

/* If there are several timeouts, the shortest counts. */
uint64_t keep_alive_rest_ms(const struct fields *fields)
{
    uint64_t least = UINT64_MAX, seconds;
    for (size_t i = 0; i < fields->count; i++) {
        struct span list = fields->at[i].value, parameter;
        if (!span_is_nocase(fields->at[i].name, SPAN("Keep-Alive")))
            continue;
        while (span_next_element(&list, &parameter))
            if (read_timeout(parameter, &seconds) && seconds < least)
                least = seconds;
    }
    if (least == UINT64_MAX)
        return 0;
    uint64_t rest = least >= 2 ? least * 1000 - 1000 : least * 500;
    return rest ? rest : 1;
}
