#include "pages/frozen_json.h"

#include "pages/json.h"

json_t *frozen_json(const struct pool_view *v, const struct freezes *freezes)
{
    const struct freeze *z = freezes_find(freezes, v->name, SPAN(""));
    if (z == NULL)
        return json_null();
    json_t *o = json_object();
    json_place(o, "by", json_text(z->by));
    json_place(o, "since", json_integer(z->since_ms / 1000));
    return o;
}

static void add_bot(void *all, const struct freeze *z)
{
    CHECK(json_array_append_new(all, json_text(z->bot)) == 0);
}

json_t *frozen_bots_json(const struct freezes *freezes, const char *upstream)
{
    json_t *all = json_array();
    freezes_each_bot(freezes, upstream, add_bot, all);
    return all;
}
