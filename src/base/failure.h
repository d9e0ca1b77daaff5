/* Why a request got no answer from its origin, in the words of RFC 9209, and
 * the verdict that goes with it: can the request have reached the exchange?
 * A plain value, copied freely. */
#pragma once

#include "base/check.h"

enum failure {
#define FAILURE(name, text, status, others, meaning) FAILURE_##name,
#include "base/failure.def"
#undef FAILURE
    FAILURE_COUNT
};

enum sent { SENT_NO, SENT_PARTIAL, SENT_YES };

struct verdict {
    enum failure error;
    enum sent sent;
    bool answered;        /* a byte of the origin's answer had come */
    bool undone;          /* it had left, and the origin vouches that nothing was done of it */
    int status;           /* of the answer; 0: the error's own */
    unsigned retry_after; /* seconds for Retry-After; 0: none */
    char detail[200];     /* words for a person; holds no secret */
};

/* "connection_refused"; 502; "partial". */
const char *failure_name(enum failure);
int failure_status(enum failure);
const char *sent_name(enum sent);

/* A verdict with printf-like detail (cut at its size). */
struct verdict verdict_make(enum failure, enum sent, const char *format, ...) PRINTF_LIKE(3, 4);

/* The status its answer has. */
int verdict_status(const struct verdict *);
