#include "proxy/troubles.h"

#include <stdio.h>
#include <string.h>

static bool same(const struct trouble *a, const struct trouble *b)
{
    return a->error == b->error && a->status == b->status && a->sent == b->sent &&
           strcmp(a->upstream, b->upstream) == 0 && strcmp(a->words, b->words) == 0;
}

/* To the front; one like it takes its place there and counts on. */
static void add(struct troubles *t, struct trouble *new)
{
    size_t i = 0;
    while (i < t->count && !same(&t->at[i], new))
        i++;
    if (i < t->count)
        new->count += t->at[i].count;
    else if (i < TROUBLES_MAX)
        t->count++;
    else
        i--;
    memmove(&t->at[1], &t->at[0], i * sizeof t->at[0]);
    t->at[0] = *new;
}

void troubles_add(struct troubles *t, const char *upstream, const struct verdict *v,
                  unsigned status, time_t now)
{
    struct trouble new = {
        .error = v->error, .status = status, .sent = v->sent, .count = 1, .last = now};
    snprintf(new.upstream, sizeof new.upstream, "%s", upstream ? upstream : "");
    snprintf(new.words, sizeof new.words, "%s", v->detail);
    add(t, &new);
}

void troubles_add_status(struct troubles *t, const char *upstream, unsigned status, time_t now)
{
    struct verdict v =
        verdict_make(FAILURE_NONE, SENT_YES, "the exchange answered with status %u%s", status,
                     status < 500 ? " and error_prefix in the body" : "");
    troubles_add(t, upstream, &v, status, now);
}
