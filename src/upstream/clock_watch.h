/* What an upstream's responses tell about our clock (http/origin_clock.h), with a warning when it is
 * so far off that exchanges refuse signed requests. Embedded in its pool; begins zeroed. Our clock is
 * well, or off: the warning comes once, and again only after it was well for certain. */
#pragma once

#include "http/origin_clock.h"
#include "net/loop.h"

#define CLOCK_WATCH_OFF_US INT64_C(1000000)

struct clock_watch {
    struct origin_clock clock;
    uint64_t second; /* the last one in which a response was looked at */
    unsigned looked; /* at so many responses in it */
    char text[32];   /* the last Date, which many responses have in common, and its time */
    size_t len;
    int64_t date_s;
    bool is_off;
};

/* The head of a response came now; its request was not sent before `sent_us` (loop_clock_us()).
 * `object` is its upstream, for the log. */
void clock_watch_learn(struct clock_watch *, struct loop *, const struct fields *, uint64_t sent_us,
                       const char *object);

struct origin_clock_view clock_watch_view(const struct clock_watch *, const struct loop *);
