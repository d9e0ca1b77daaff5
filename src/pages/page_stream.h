/* A page of our own that is made while it is sent, as an exchange: piece by piece
 * over turns of the loop, none of which it holds up, as fast as its client reads.
 * Frees itself at its end. Starting, telling, over. */
#pragma once

#include "base/text.h"
#include "http/exchange.h"
#include "net/loop.h"

/* Where a page comes from; owned by the exchange, which frees it. */
struct page_source {
    /* Appends what comes next (a few KiB, in a fraction of a millisecond); false: that
     * was the last. */
    bool (*next)(struct page_source *, struct text *to);
    void (*free)(struct page_source *);
};

/* `head` lives in the request's arena; its framing is set here: a page that was made
 * at once has a length, a longer one is chunked. Of HEAD no body is told. */
struct exchange *page_stream_open(struct loop *, struct response *head, bool is_head,
                                  struct page_source *, const struct exchange_events *,
                                  void *owner);
