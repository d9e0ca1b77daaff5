/* Several identical requests at once to the upstream of transaction_fixture.h, for
 * check_coalescer*.c. */
#pragma once

#include "transaction_fixture.h"

#define NUMBERED "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

extern struct test_client many[8];

void start(size_t count, const char *fields);
void clear_all(size_t count);

/* Sends a request, waits for the end of the response, and returns the recorded events. */
const char *hear(struct test_client *a, const char *method, const char *fields);

/* Sends one more request; the head or body of the response must contain `words`. */
void hears(const char *fields, const char *words);
void answers(const char *answer);
