/* Why a request got no response from its origin, in the words of RFC 9209, and the verdict that
 * goes with it: can the request have reached the exchange? A plain value, copied freely, without
 * owner or state. */
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
    bool answered; /* a byte of the origin's response had arrived */
    bool undone;   /* it had been sent, and the origin guarantees that it was not processed */
    int status;    /* status of trunkline's response; 0: the error's usual one */
    unsigned retry_after; /* seconds for Retry-After; 0: none */
    char detail[200];     /* for humans; contains no secret */
};

/* "connection_refused"; 502; "partial". */
const char *failure_name(enum failure);
int failure_status(enum failure);
const char *sent_name(enum sent);

/* A verdict with printf-like detail (truncated to the size of its field). */
struct verdict verdict_make(enum failure, enum sent, const char *format, ...) PRINTF_LIKE(3, 4);

/* The status of trunkline's response. */
int verdict_status(const struct verdict *);
