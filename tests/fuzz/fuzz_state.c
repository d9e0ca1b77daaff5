/* The input is a state file. Either it is refused with a reason and leaves nothing, or what it holds
 * is within bounds, prints to a file that reads back to the same, and survives being merged with
 * itself and tidied. */
#include "budget/credential.h"
#include "proxy/saved_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const struct saved_state *s)
{
    CHECK(s->budget_count <= SAVED_UPSTREAMS_MOST && s->freeze_count <= FREEZES_MAX);
    for (size_t i = 0; i < s->budget_count; i++) {
        const struct saved_budget *b = &s->budgets[i];
        CHECK(*b->key && b->lifted_ms >= 0 && b->weight >= -1 && b->weight_until_ms >= 0);
        for (size_t h = 0; h < b->hold_count; h++) {
            const struct saved_hold *hold = &b->holds[h];
            CHECK(hold->until_ms >= 0 && hold->lasts_ms <= HOLD_MOST_MS &&
                  hold->step_ms <= HOLD_MOST_MS);
            CHECK((hold->scope == HOLD_CREDENTIAL) == (hold->credential != 0));
            CHECK(hold->status >= 100 && hold->status <= 999);
        }
    }
    for (size_t i = 0; i < s->freeze_count; i++)
        CHECK(s->freezes[i].by && s->freezes[i].since_ms >= 0);
}

static void check_again(const struct saved_state *s)
{
    struct text first = {0}, second = {0};
    struct saved_state again;
    char why[SAVED_STATE_WHY];
    saved_state_print(s, &first);
    bool good = saved_state_parse(&again, text_span(&first), why);
    CHECK(good);
    saved_state_print(&again, &second);
    CHECK(span_is(text_span(&first), text_span(&second)));
    saved_state_merge(&again, s);
    saved_state_tidy(&again, INT64_C(1764230400000));
    check_bounds(&again);
    saved_state_free(&again);
    text_free(&first);
    text_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct saved_state s;
    char why[SAVED_STATE_WHY] = "";
    if (saved_state_parse(&s, (struct span){(const char *)data, size}, why)) {
        check_bounds(&s);
        check_again(&s);
    } else {
        CHECK(*why && strlen(why) < SAVED_STATE_WHY);
        CHECK(s.budget_count + s.freeze_count == 0);
    }
    saved_state_free(&s);
    return 0;
}
