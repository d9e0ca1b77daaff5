/* Asks one venue for its ticker, again and again, through trunkline: a libcurl
 * handle that is run by the multi handle of its owner. Idle → asking → idle. */
#pragma once

#include <curl/curl.h>

#include "base/text.h"
#include "examples/scan.h"

struct asker {
    struct venue *venue;
    CURL *easy;
    char *url;
    struct curl_slist *fields;
    struct text body;
    bool asking, too_long;
    bool is_stale; /* what the answer under way says of itself */
    unsigned age_s;
    char curl_error[CURL_ERROR_SIZE];
    uint64_t received_ms, own_age_ms; /* of the quote: when it came, how old it was then */
};

/* Monotonic milliseconds. */
uint64_t now_ms(void);

/* `base`: where the exchange is found, "http://127.0.0.1:8642/https://api.…" */
void asker_init(struct asker *, struct venue *, const char *base, unsigned timeout_ms);
void asker_clear(struct asker *);

void asker_start(struct asker *, CURLM *);

/* The multi handle is done with it. What it brought is the venue's, or why not. */
void asker_finish(struct asker *, CURLM *, CURLcode);

/* Brings the venue's age and state up to date. */
void asker_judge(struct asker *, uint64_t max_age_ms);
