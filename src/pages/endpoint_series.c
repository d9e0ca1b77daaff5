#include "pages/endpoint_series.h"

#include <string.h>

static void name_endpoint(struct series *s, const struct pool_view *v, const struct way_view *w,
                          const char *label)
{
    series_name(s, "");
    series_upstream(s, v->name);
    text_add_str(s->to, ",endpoint=\"");
    series_escape(s->to, w->endpoint->authority);
    text_printf(s->to, "\"%s} ", label);
}

void series_endpoint_requests(struct series *s, const struct pool_view *v)
{
    for (size_t i = 0; i < v->endpoint_count; i++) {
        name_endpoint(s, v, &v->endpoints[i], "");
        series_end(s, v->endpoints[i].requests);
    }
}

void series_endpoint_ttfb(struct series *s, const struct pool_view *v)
{
    for (size_t i = 0; i < v->endpoint_count; i++) {
        uint64_t us = v->endpoints[i].pace.mean_us;
        if (us == 0)
            continue;
        name_endpoint(s, v, &v->endpoints[i], "");
        text_printf(s->to, "%ju.%06ju\n", (uintmax_t)(us / 1000000), (uintmax_t)(us % 1000000));
    }
}

void series_endpoint_connections(struct series *s, const struct pool_view *v)
{
    for (size_t i = 0; i < v->endpoint_count; i++) {
        const struct way_view *w = &v->endpoints[i];
        name_endpoint(s, v, w, ",state=\"idle\"");
        series_end(s, w->idle);
        name_endpoint(s, v, w, ",state=\"active\"");
        series_end(s, w->active);
        name_endpoint(s, v, w, ",state=\"connecting\"");
        series_end(s, w->connecting);
    }
}

void series_endpoint_open(struct series *s, const struct pool_view *v)
{
    for (size_t i = 0; i < v->endpoint_count; i++) {
        name_endpoint(s, v, &v->endpoints[i], "");
        series_end(s, strcmp(v->endpoints[i].breaker, "closed") != 0);
    }
}
