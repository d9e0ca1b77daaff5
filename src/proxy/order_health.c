#include "proxy/order_health.h"

#include <stdio.h>
#include <string.h>

#define OBJECT "order journal"

static const char stuck_text[] = "the disk does not answer";

const char *order_health_words(const struct order_health *h)
{
    if (h->is_stuck)
        return stuck_text;
    return h->error ? strerror(h->error) : NULL;
}

static void warn(struct order_health *h)
{
    char words[300];
    snprintf(words, sizeof words, "cannot write %s: %s; orders %s", h->path, order_health_words(h),
             h->required ? "are refused" : "go on without a line in it");
    log_seldom(&h->warning, h->required ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, OBJECT, words);
}

static void begin(struct order_health *h, int64_t now_s)
{
    h->since_s = now_s;
    h->untold = 0;
    h->warning = (struct log_seldom){0};
}

void order_health_written(struct order_health *h)
{
    h->lines++;
    if (h->error == 0 && !h->is_stuck)
        return;
    LOG(WARN, OBJECT, "writing %s again; orders refused meanwhile, or without a line in it: %llu",
        h->path, (unsigned long long)h->untold);
    h->error = 0;
    h->is_stuck = false;
}

void order_health_failed(struct order_health *h, int error, int64_t now_s)
{
    h->errors++;
    if (h->error == 0 && !h->is_stuck)
        begin(h, now_s);
    h->is_stuck = false;
    h->error = error;
    warn(h);
}

void order_health_stuck(struct order_health *h, uint64_t ms, int64_t now_s)
{
    h->errors++;
    if (h->error == 0)
        begin(h, now_s);
    h->is_stuck = true;
    LOG(ERROR, OBJECT, "%s: nothing was written for %llu ms: %s", h->path, (unsigned long long)ms,
        stuck_text);
}

void order_health_refused(struct order_health *h)
{
    h->refused++;
    h->untold++;
    warn(h);
}

void order_health_missed(struct order_health *h)
{
    h->missed++;
    h->untold++;
    warn(h);
}

struct verdict order_health_verdict(const struct order_health *h)
{
    return verdict_make(FAILURE_DESTINATION_UNAVAILABLE, SENT_NO,
                        "the order journal cannot be written: %s", order_health_words(h));
}
