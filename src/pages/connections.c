#include "pages/connections.h"

#include "pages/json_row.h"
#include "upstream/pools_snapshot.h"

struct connections_page {
    struct page_source base;
    struct pools_snapshot *pools;
    size_t at; /* the next of them */
    bool begun, told;
    const char *upstream; /* whose lines are being shown */
    struct text *to;
};

static struct connections_page *page_of(struct page_source *base)
{
    return container_of(base, struct connections_page, base);
}

static void add_connection(void *context, const struct line_view *v)
{
    struct connections_page *p = context;
    const char *upstream = p->upstream, *before = p->told ? ",{\"" : "{\"";
    p->told = true;
#define CONNECTION(key, kind, value, meaning)                                                      \
    text_add_str(p->to, before);                                                                   \
    text_add(p->to, SPAN(key "\":"));                                                              \
    json_row_##kind(p->to, value);                                                                 \
    before = ",\"";
#include "pages/connections.def"
    text_add(p->to, SPAN("}"));
}

static bool next(struct page_source *base, struct text *to)
{
    struct connections_page *p = page_of(base);
    struct pool_view view;
    if (!p->begun)
        text_add(to, SPAN("{\"connections\":["));
    p->begun = true;
    if (p->at == pools_snapshot_count(p->pools)) {
        text_add(to, SPAN("]}"));
        return false;
    }
    pools_snapshot_view(p->pools, p->at, &view);
    p->upstream = view.name;
    p->to = to;
    pools_snapshot_lines(p->pools, p->at++, add_connection, p);
    return true;
}

static void free_page(struct page_source *base)
{
    struct connections_page *p = page_of(base);
    pools_snapshot_free(p->pools);
    free(p);
}

struct page_source *connections_page_new(const struct pools *pools)
{
    struct connections_page *p = NEW(struct connections_page);
    p->base = (struct page_source){next, free_page};
    p->pools = pools_snapshot_all(pools);
    return &p->base;
}
