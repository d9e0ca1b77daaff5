/* What the facts of a checkup mean: a page for people that tells them, and in
 * plain words whatever is not well. Pure; a value in, text out. */
#pragma once

#include "base/text.h"
#include "cli/checkup.h"

/* How soon a certificate's end is worth a word, if that is also less than a third
 * of its life; and how far a clock may be off (exchanges refuse orders signed
 * with the time of more than 1 s ahead). */
#define DIAGNOSIS_CERT_DAYS 7
#define DIAGNOSIS_SKEW_MS 1000

/* Adds the upstream's part of the page: "NAME  URL  well", or "not well" with a
 * line beginning with "!" for each finding. True if it is well. */
bool diagnose(const struct upstream_config *, const struct checkup_facts *, struct text *page);
