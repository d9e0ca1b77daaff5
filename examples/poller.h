/* Requests the ticker of one venue through trunkline, repeatedly: a libcurl easy handle
 * that is driven by the multi handle of its owner. States: idle, asking. */
#pragma once

#include <curl/curl.h>

#include "base/text.h"
#include "examples/scan.h"

struct poller {
    struct venue *venue;
    CURL *easy;
    char *url;
    struct curl_slist *fields;
    struct text body;
    bool asking, too_long;
    bool is_stale; /* the response in progress is marked as stale */
    unsigned age_s;
    char curl_error[CURL_ERROR_SIZE];
    uint64_t received_ms, own_age_ms; /* of the quote: when it arrived, and its age then */
};

/* Monotonic milliseconds. */
uint64_t now_ms(void);

/* `base`: the URL of the exchange, "http://127.0.0.1:8642/https://api.…" */
void poller_init(struct poller *, struct venue *, const char *base, unsigned timeout_ms);
void poller_clear(struct poller *);

void poller_start(struct poller *, CURLM *);

/* The multi handle has finished the request. Stores the quote, or the error, in the venue. */
void poller_finish(struct poller *, CURLM *, CURLcode);

/* Updates the age and the state of the venue. */
void poller_judge(struct poller *, uint64_t max_age_ms);
