/* The page of `trunkline top`: the requests, the connections or the upstreams of a running
 * daemon as a table, sorted by any of its columns. A `struct top` says which table and which
 * column; it is owned by the command, which passes each key that is pressed to it. */
#pragma once

#include "cli/watch.h"

enum top_view { TOP_REQUESTS, TOP_CONNECTIONS, TOP_UPSTREAMS, TOP_VIEW_COUNT };

/* The column by which a table is sorted. */
struct top_order {
    size_t column;
    bool descending;
};

struct top {
    enum top_view view;
    const char *upstream; /* only what belongs to it; NULL: everything; borrowed */
    struct top_order order[TOP_VIEW_COUNT];
    bool helps; /* the keys are shown instead of the table */
};

/* Each table sorted as it is most useful: the oldest requests, the busiest connections, and the
 * busiest upstreams first. */
void top_init(struct top *);

/* Shows the table of that name ("requests", "connections", "upstreams"). False: there is none. */
bool top_show(struct top *, const char *name) MUST_CHECK;

/* Sorts the table by the column with that title; by the one that it is sorted by already: the
 * other way round. False: there is no such column, and `titles` (if not NULL) gets those that
 * there are, separated by commas. */
bool top_sort(struct top *, const char *title, struct text *titles) MUST_CHECK;

/* What is requested of the daemon for the table. */
const char *top_path(const struct top *);

/* A key was pressed: 1, 2 and 3 or Tab for a table, < and > for the column, r to reverse, h or ?
 * for help. False: the key has no meaning. */
bool top_key(struct top *, char key);

/* Appends the page, each line ended by '\n'. Rates are of the time between both documents; if
 * `before` is empty, or of a daemon that has restarted since, there are none ("-"). False: `now`
 * is not the document of this table; `error` says why. */
bool top_page(const struct top *, struct span before, struct span now, const struct page_form *,
              struct text *out, char *error, size_t size) MUST_CHECK;
