#include "proxy/recent_errors.h"

#include <stdio.h>
#include <string.h>

static bool same(const struct recent_error *a, const struct recent_error *b)
{
    return a->error == b->error && a->status == b->status && a->sent == b->sent &&
           strcmp(a->upstream, b->upstream) == 0 && strcmp(a->words, b->words) == 0;
}

/* Moves it to the front, in place of one like it, whose count it continues. */
static void add(struct recent_errors *r, struct recent_error *new)
{
    size_t i = 0;
    while (i < r->count && !same(&r->at[i], new))
        i++;
    if (i < r->count)
        new->count += r->at[i].count;
    else if (i < RECENT_ERRORS_MAX)
        r->count++;
    else
        i--;
    memmove(&r->at[1], &r->at[0], i * sizeof r->at[0]);
    r->at[0] = *new;
}

void recent_errors_add(struct recent_errors *r, const char *upstream, const struct verdict *v,
                       unsigned status, time_t now)
{
    struct recent_error new = {
        .error = v->error, .status = status, .sent = v->sent, .count = 1, .last = now};
    snprintf(new.upstream, sizeof new.upstream, "%s", upstream ? upstream : "");
    snprintf(new.words, sizeof new.words, "%s", v->detail);
    add(r, &new);
}

void recent_errors_add_status(struct recent_errors *r, const char *upstream, unsigned status,
                              time_t now)
{
    struct verdict v =
        verdict_make(FAILURE_NONE, SENT_YES, "the exchange answered with status %u%s", status,
                     status < 500 ? " and error_prefix in the body" : "");
    recent_errors_add(r, upstream, &v, status, now);
}
