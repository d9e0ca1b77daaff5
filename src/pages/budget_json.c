#include "pages/budget_json.h"

#include "pages/json.h"

json_t *budget_store_json(const struct budget_store *store)
{
    struct budget_store_view view = {0}, *s = &view;
    if (store)
        budget_store_describe(store, &view);
    if (s->name == NULL)
        return json_null();
    json_t *o = json_object();
#define STORE(key, value, meaning) json_place(o, key, value);
#include "pages/budget_page.def"
    return o;
}

json_t *shared_budget_json(const struct gate_view *g)
{
    const struct shared_budget_view *b = &g->shared;
    if (b->key == NULL)
        return json_null();
    json_t *o = json_object();
#define SHARED(key, value, meaning) json_place(o, key, value);
#include "pages/budget_page.def"
    return o;
}

static json_t *bot_share_json(const struct gate_view *g, const struct bot_share *b)
{
    json_t *o = json_object();
#define SHARE(key, value, meaning) json_place(o, key, value);
#include "pages/budget_page.def"
    return o;
}

json_t *bot_shares_json(const struct gate_view *g)
{
    json_t *all = json_array();
    for (size_t i = 0; g->bots && g->bots->settings_count && i < g->bots->count; i++)
        if (*g->bots->at[i]->bot)
            CHECK(json_array_append_new(all, bot_share_json(g, g->bots->at[i])) == 0);
    return all;
}
