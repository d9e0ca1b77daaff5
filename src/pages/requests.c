#include "pages/requests.h"

#include "pages/json_row.h"

struct requests_page {
    struct page_source base;
    const struct under_way *under_way;
    struct under_way_walk walk;
    bool begun;
    unsigned told;
};

static struct requests_page *page_of(struct page_source *base)
{
    return container_of(base, struct requests_page, base);
}

static void add_request(struct text *to, const struct request_view *v, struct span target)
{
    const char *before = "{\"";
#define REQUEST(key, kind, value, meaning)                                                         \
    text_add_str(to, before);                                                                      \
    text_add(to, SPAN(key "\":"));                                                                 \
    json_row_##kind(to, value);                                                                    \
    before = ",\"";
#include "pages/requests.def"
    text_add(to, SPAN("}"));
}

static bool next(struct page_source *base, struct text *to)
{
    struct requests_page *p = page_of(base);
    if (!p->begun)
        text_add(to, SPAN("{\"requests\":["));
    p->begun = true;
    struct request_view view;
    struct text target = {0};
    const struct under_way_entry *e = under_way_next(&p->walk);
    if (e == NULL) {
        text_add(to, SPAN("]}"));
        return false;
    }
    if (p->told++)
        text_add(to, SPAN(","));
    p->under_way->describe(e, &view, &target);
    add_request(to, &view, text_span(&target));
    text_free(&target);
    return true;
}

static void free_page(struct page_source *base)
{
    struct requests_page *p = page_of(base);
    under_way_walk_end(&p->walk);
    free(p);
}

struct page_source *requests_page_new(struct under_way *under_way)
{
    struct requests_page *p = NEW(struct requests_page);
    p->base = (struct page_source){next, free_page};
    p->under_way = under_way;
    under_way_walk_begin(under_way, &p->walk);
    return &p->base;
}
