/* What the facts of a checkup mean, as a page for people: the facts, and in plain words each
 * problem found. Pure: facts in, text out; stateless. */
#pragma once

#include "base/text.h"
#include "cli/checkup.h"

/* How many days before a certificate expires that is a problem, if it is also less than a
 * third of its lifetime; and by how much the clock may be off (exchanges refuse orders whose
 * timestamp is more than 1 s ahead). */
#define DIAGNOSIS_CERT_DAYS 7
#define DIAGNOSIS_SKEW_MS 1000

/* Adds the upstream's part of the page: "NAME  URL  well", or "not well" with a
 * line beginning with "!" for each finding. True if it is well. */
bool diagnose(const struct upstream_config *, const struct checkup_facts *, struct text *page);
