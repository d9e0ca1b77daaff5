#include "budget/tokens.h"

bool tokens_take(struct tokens *t, bool is_order, uint64_t now_ms)
{
    return shared_budget_is_on(t->shared) ? shared_budget_take(t->shared, is_order)
                                          : bucket_take(&t->bucket, now_ms);
}

uint64_t tokens_when(const struct tokens *t, uint64_t from_ms, uint64_t n, bool is_order)
{
    return shared_budget_is_on(t->shared) ? shared_budget_when(t->shared, from_ms, n, is_order)
                                          : bucket_when(&t->bucket, from_ms, n);
}

uint64_t tokens_wake(const struct tokens *t, uint64_t from_ms, bool is_order)
{
    uint64_t at = tokens_when(t, from_ms, 1, is_order);
    return shared_budget_is_on(t->shared) ? shared_budget_wake(t->shared, at) : at;
}

uint64_t tokens_count(const struct tokens *t, uint64_t now_ms)
{
    return shared_budget_is_on(t->shared) ? shared_budget_tokens(t->shared)
                                          : bucket_tokens(&t->bucket, now_ms);
}

bool tokens_are_asked_for(const struct tokens *t)
{
    return shared_budget_is_on(t->shared) && shared_budget_is_asking(t->shared);
}

void tokens_touch(struct tokens *t)
{
    if (shared_budget_is_on(t->shared))
        shared_budget_touch(t->shared);
}
