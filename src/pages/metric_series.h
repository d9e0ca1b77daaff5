/* The lines of /metrics that belong to one family, for all pools: its samples, with their labels. A plain
 * value of the page that is being made, without states. */
#pragma once

#include "base/text.h"
#include "upstream/pool_view.h"

struct freezes;

/* The samples of one family, for all pools. */
struct series {
    const char *family; /* its name after "trunkline_" */
    struct text *to;
    const char *exit; /* of the samples that are added now; NULL: none */
    const struct freezes *freezes;
};

/* A label's value: backslash, quote and newline are escaped. */
void series_escape(struct text *, const char *value);

/* "trunkline_", the family's name and a suffix. */
void series_name(struct series *, const char *suffix);

/* {upstream="…", and the exit if there is one; the brace stays open. */
void series_upstream(struct series *, const char *name);

/* {upstream="…"}, or with one more label: `label` is the whole of it (`label="value"`) or, if there is
 * a value, its name. */
void series_labels(struct series *, const char *upstream, const char *label, const char *value);

/* The value, which ends the line. */
void series_end(struct series *, uint64_t);

/* A whole line. */
void series_sample(struct series *, const struct pool_view *, const char *label, const char *value,
                   uint64_t);
