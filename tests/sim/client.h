/* Clients of trunkline as its users have them: each sends requests over HTTP/1.1 one after the other,
 * checks every answer, and sends again what its kind sends again. A client is between two requests,
 * connecting, sending, awaiting, or done. They live as long as the process. */
#pragma once

#include "tests/sim/net.h"

/* What it does when an answer does not come or says no. */
enum client_kind {
    CLIENT_PLAIN, /* Python's requests: never sends again by itself */
    CLIENT_JAVA, /* HttpURLConnection, curl: what was lost unanswered on a used connection goes again */
    CLIENT_CCXT, /* a loop of the user's: what was not sent goes again; with dedupe, whatever failed */
    CLIENT_RUDE, /* leaves at any time */
    CLIENT_KINDS
};

struct client_plan {
    const char *const *upstreams; /* names of what it asks for */
    size_t upstream_count;
    uint16_t port;
    uint32_t requests, think_us;
    uint32_t orders; /* percent of them */
    uint32_t quotes; /* percent of the others, which are asked alike by several (quotes.h) */
    bool dedupes;
    bool survives;        /* copies are recognised after the daemon was killed, too */
    uint64_t patience_us; /* until an answer must have begun */
};

void client_begin(unsigned number, enum client_kind, const struct client_plan *, uint64_t in_us);

/* From now on a connection may be refused, and its request is given up. */
void clients_may_be_refused(void);

/* When one of them left with a request under way (0: none did): its end may not be known yet. */
uint64_t clients_left_us(void);

/* From now on a connection that is refused is the end of a client. */
void clients_let_go(void);
bool clients_are_done(void);

/* After the daemon's end: whoever is owed an answer says so. */
void clients_judge(void);
unsigned clients_answered(void);
