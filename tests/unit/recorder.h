/* The one who asked, for tests of exchanges: writes down what it hears, and may
 * cancel or pause inside a callback. Owned by the test. */
#pragma once

#include "base/text.h"
#include "http/exchange.h"

enum recorder_event {
    RECORDER_NONE,
    RECORDER_INTERIM,
    RECORDER_HEAD,
    RECORDER_BODY,
    RECORDER_DRAIN
};

struct recorder {
    struct exchange *exchange; /* NULL: it has ended, or was cancelled */
    struct text *heard;        /* where it writes; may be shared with others */
    enum recorder_event cancel_in, pause_in;
    unsigned ended, failed, drained, switched;
    struct tunnel *tunnel; /* of the switch; the test's to close */
    unsigned status;       /* of the head */
    struct verdict verdict;
    size_t body; /* bytes of it */
};

extern const struct exchange_events recorder_events;

/* "head 200 OK name=value;", "body(…)" for all pieces in a row, "end {…}",
 * "failed http_protocol_error sent=yes answered", separated by a space. */
void recorder_init(struct recorder *, struct text *heard);

/* Adds a word of the test's own to what was heard. */
void recorder_note(struct text *heard, const char *word);
void recorder_cancel(struct recorder *);
