#include "pages/requests.h"

#include "base/quoting.h"

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

static void add_key(struct text *to, struct span key)
{
    if (to->at[to->len - 1] != '{')
        text_add(to, SPAN(","));
    text_add(to, SPAN("\""));
    text_add(to, key);
    text_add(to, SPAN("\":"));
}

static void add_string(struct text *to, struct span key, struct span value)
{
    add_key(to, key);
    quote_add(to, value, true);
}

/* NULL: null. */
static void add_word(struct text *to, struct span key, const char *word)
{
    add_key(to, key);
    if (word)
        quote_add(to, span_of(word), true);
    else
        text_add(to, SPAN("null"));
}

/* 0: null. */
static void add_line(struct text *to, uint64_t number)
{
    add_key(to, SPAN("line"));
    if (number)
        text_add_number(to, number);
    else
        text_add(to, SPAN("null"));
}

static void add_request(struct text *to, const struct request_view *v, struct span target)
{
    text_add(to, SPAN("{"));
    add_word(to, SPAN("id"), v->id->text);
    add_key(to, SPAN("age_ms"));
    text_printf(to, "%.3f", (double)v->age_us / 1000);
    add_word(to, SPAN("client"), v->client);
    add_word(to, SPAN("bot"), v->bot);
    add_word(to, SPAN("upstream"), v->upstream);
    add_string(to, SPAN("method"), v->method);
    add_string(to, SPAN("target"), target);
    add_word(to, SPAN("state"), progress_word(v->progress.state));
    add_line(to, v->progress.line);
    add_word(to, SPAN("address"), v->progress.address);
    add_word(to, SPAN("sent"), sent_name(v->sent));
    add_key(to, SPAN("left"));
    text_add(to, v->left ? SPAN("true") : SPAN("false"));
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
