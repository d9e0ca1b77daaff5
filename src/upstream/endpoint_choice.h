/* Which of its upstream's endpoints a request goes to (contract 13): by what is known of each, how
 * fast it answers and whether it can be reached. Pure; the owner says how each endpoint stands, and
 * gets an index. A `struct endpoint_pace` is embedded in its way, a `struct endpoint_race` in what the
 * ways of one exit have in common; both begin zeroed and are without states. */
#pragma once

#include "base/check.h"

/* What is known of one endpoint. The mean is an exponentially weighted moving average of the time to
 * first byte. A slow answer counts in full only when others before it were slow, so that one delay
 * makes no other endpoint the fastest; a fast one counts the more, the older the mean is. */
struct endpoint_pace {
    uint64_t mean_us;  /* 0: not known */
    unsigned answers;  /* that it was learned from, failures included; since start */
    unsigned asked;    /* how often a request was to go there to be timed; since start */
    unsigned slow;     /* answers in a row that took more than twice the mean */
    uint64_t asked_ms; /* when it was last asked, or its turn to be asked last passed */
    uint64_t timed_ms; /* when the mean last changed */
};

/* An answer took that long, from the request to the first byte. */
void endpoint_answered(struct endpoint_pace *, uint64_t took_us, uint64_t now_ms);

/* An answer that tells of a failure of the server (5xx), which counts as a slow one. */
void endpoint_erred(struct endpoint_pace *, uint64_t took_us, uint64_t now_ms);

/* There was no answer, or no connection. */
void endpoint_failed(struct endpoint_pace *, uint64_t took_us, uint64_t now_ms);

/* The one that public requests go to, and the probes of others. */
struct endpoint_race {
    size_t best;        /* what the last choice was; kept unless another is clearly better */
    unsigned since;     /* requests since the last probe */
    uint64_t probed_ms; /* when that was */
};

struct endpoint_standing {
    bool is_open;   /* its circuit is */
    bool may_probe; /* which may be tried now */
    bool is_warm;   /* it has a connection: a request would wait for none */
    struct endpoint_pace *pace;
};

/* For a request that is not timed: the first whose circuit is closed; if there is none, the first
 * whose circuit may be tried; else the first. SIZE_MAX: all are in `tried`. */
size_t endpoint_first(const struct endpoint_standing *, size_t count, uint64_t tried);

/* For a public GET or HEAD: the one with the least mean, of those whose circuit is closed. It may be
 * sent elsewhere to learn: while an endpoint has answered fewer than ENDPOINT_LEARN requests, to that
 * one; later, as a probe, to the one that was not asked for longest. Probes are 1 to 5 % of the
 * requests, as many as it takes to ask each of the others once in ENDPOINT_ROUND_MS. `is_new` is
 * whether it may be such a one, and counts: it has tried no other, and is short-lived. `cold` is set to
 * an endpoint that should have a connection before the next probe; SIZE_MAX: to none. */
#define ENDPOINT_LEARN 3
#define ENDPOINT_ROUND_MS 4000
#define ENDPOINT_PROBE_EVERY 21    /* requests at least, */
#define ENDPOINT_PROBE_AT_LEAST 99 /* and at most */
size_t endpoint_fastest(struct endpoint_race *, const struct endpoint_standing *, size_t count,
                        uint64_t tried, bool is_new, uint64_t now_ms, size_t *cold);

/* The one that public requests go to by what is known now, probes apart. SIZE_MAX: nothing is known. */
size_t endpoint_best(const struct endpoint_race *, const struct endpoint_standing *, size_t count);
