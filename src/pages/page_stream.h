/* A page of our own that is made while it is sent, as an exchange: in pieces, over turns of
 * the loop, none of which it delays, and as fast as its client reads.
 * Owned by the exchange's opener, as any exchange; frees itself at its end. Starting, sending
 * (its head is out), over. */
#pragma once

#include "base/text.h"
#include "http/exchange.h"
#include "net/loop.h"

/* What makes the pieces of a page; owned by the exchange, which frees it. */
struct page_source {
    /* Appends the next piece (a few KiB, made in a fraction of a millisecond). False: it was
     * the last. */
    bool (*next)(struct page_source *, struct text *to);
    void (*free)(struct page_source *);
};

/* Sends the page that `source` makes. `head` lives in the request's arena, and its framing is
 * set here: a page whose first piece is all of it gets a length, a longer one is chunked. With
 * `is_head` (the request was HEAD) no body is sent. */
struct exchange *page_stream_open(struct loop *, struct response *head, bool is_head,
                                  struct page_source *, const struct exchange_events *,
                                  void *owner);
