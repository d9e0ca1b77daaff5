/* The samples of /metrics that are kept per endpoint of an upstream, with a label `endpoint`; none where
 * there is only one. Pure functions over the series of a page, without owner or states. */
#pragma once

#include "pages/metric_series.h"

void series_endpoint_requests(struct series *, const struct pool_view *); /* sent to it */
void series_endpoint_ttfb(struct series *, const struct pool_view *);     /* the mean, in seconds */
void series_endpoint_connections(struct series *, const struct pool_view *);
void series_endpoint_open(struct series *, const struct pool_view *); /* 1: its circuit is open */
