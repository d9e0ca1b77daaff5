/* Counts rare but legal branches, so that what happens in the field is known: `GET
 * /stats?rare` and `trunkline stats --rare` tell them. Owned by nobody: one set of counts
 * per process, from 0 at its start. Stateless otherwise; every thread may count. */
#pragma once

#include "base/check.h"

/* RARE_DNS_STALE and so on: rare.def has them, and what they mean. */
enum rare {
#define RARE(constant, name, place, meaning) RARE_##constant,
#include "base/rare.def"
    RARE_COUNT
};

/* The branch was taken once more. Cheap: one addition. */
void rare_note(enum rare);

uint64_t rare_count(enum rare);
const char *rare_name(enum rare);  /* "dns_stale" */
const char *rare_place(enum rare); /* the file it is in, below src: "net/dns.c" */
