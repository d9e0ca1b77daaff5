/* The owner of an exchange, for tests: records the events of the exchange, and may cancel or pause
 * it inside an event. Owned by the test. */
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
    struct exchange *exchange; /* NULL: the exchange has ended or was cancelled */
    struct text *heard;        /* where the events are recorded; several recorders may share it */
    enum recorder_event cancel_in, pause_in;
    unsigned ended, failed, drained, switched;
    struct tunnel *tunnel; /* of the switch; the test closes it */
    unsigned status;       /* of the head, and how the body is framed */
    enum framing framing;
    struct verdict verdict;
    size_t body; /* bytes of the body so far */
};

extern const struct exchange_events recorder_events;

/* Initializes a recorder. The events are recorded as "head 200 OK name=value;", "body(…)" for all
 * consecutive pieces, "end {…}" and "failed http_protocol_error sent=yes answered", separated by
 * spaces. */
void recorder_init(struct recorder *, struct text *heard);

/* Adds a word of the test's own to the recorded events. */
void recorder_note(struct text *heard, const char *word);
void recorder_cancel(struct recorder *);
