/* Counts rare but legal branches, so that one can see which of them occur in production: `GET
 * /stats?rare` and `trunkline stats --rare` show the counts. There is one set of counts per
 * process, without an owner; it starts at 0 and has no other state. Any thread may count. */
#pragma once

#include "base/check.h"

/* RARE_DNS_STALE and so on: rare.def lists them with their meanings. */
enum rare {
#define RARE(constant, name, place, meaning) RARE_##constant,
#include "base/rare.def"
    RARE_COUNT
};

/* Counts one more use of the branch. Cheap: one addition. */
void rare_note(enum rare);

uint64_t rare_count(enum rare);
const char *rare_name(enum rare);  /* "dns_stale" */
const char *rare_place(enum rare); /* the file it is in, below src: "net/dns.c" */
