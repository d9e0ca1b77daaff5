#include "proxy/recent_errors.h"

#include <stdio.h>
#include <string.h>

static bool same(const struct recent_error *a, const struct recent_error *b)
{
    return a->error == b->error && a->status == b->status && a->sent == b->sent &&
           strcmp(a->upstream, b->upstream) == 0 && strcmp(a->words, b->words) == 0;
}

/* To the front; one like it takes its place there and counts on. */
static void add(struct recent_errors *t, struct recent_error *new)
{
    size_t i = 0;
    while (i < t->count && !same(&t->at[i], new))
        i++;
    if (i < t->count)
        new->count += t->at[i].count;
    else if (i < RECENT_ERRORS_MAX)
        t->count++;
    else
        i--;
    memmove(&t->at[1], &t->at[0], i * sizeof t->at[0]);
    t->at[0] = *new;
}

void recent_errors_add(struct recent_errors *t, const char *upstream, const struct verdict *v,
                       unsigned status, time_t now)
{
    struct recent_error new = {
        .error = v->error, .status = status, .sent = v->sent, .count = 1, .last = now};
    snprintf(new.upstream, sizeof new.upstream, "%s", upstream ? upstream : "");
    snprintf(new.words, sizeof new.words, "%s", v->detail);
    add(t, &new);
}

void recent_errors_add_status(struct recent_errors *t, const char *upstream, unsigned status,
                              time_t now)
{
    struct verdict v =
        verdict_make(FAILURE_NONE, SENT_YES, "the exchange answered with status %u%s", status,
                     status < 500 ? " and error_prefix in the body" : "");
    recent_errors_add(t, upstream, &v, status, now);
}
