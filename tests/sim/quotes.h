/* Requests that several clients make alike, and whose answers the daemon may store and share: what
 * the clients asked for, what the origins answered, and the rules for who may get which answer, and
 * until when. A quote is what an origin answered to one of its readings (book.h). One ledger for the
 * process; it lives as long. */
#pragma once

#include "tests/sim/answer.h"
#include "tests/sim/net.h"

/* What makes an answer its client's own. */
enum quote_secret {
    QUOTE_PUBLIC,
    QUOTE_AUTHORIZATION,
    QUOTE_COOKIE,
    QUOTE_ODD /* a field that is not known to be shareable */
};

struct quote_wish {
    unsigned target; /* from 1; 0: the client asks for what no other one does */
    enum quote_secret secret;
    unsigned coding, language; /* which Accept-Encoding and Accept-Language it sends */
    bool bypasses, is_head;    /* Cache-Control: no-cache */
    uint64_t most_age_us;      /* Cache-Control: max-age; UINT64_MAX: any */
};

/* What the configuration allows; of several the most counts. */
struct quote_rules {
    uint64_t fresh_us, stale_us;
    bool coalesces;
    size_t bytes; /* cache_size */
};
void quotes_allow(const struct quote_rules *);
size_t quotes_bytes(void);

struct quote_wish quote_wish_draw(struct dice *);

/* Adds the request's line and the fields that make it what it is. The origin learns from it which try
 * it reads. */
void quote_wish_write(const struct quote_wish *, const char *upstream, unsigned number,
                      struct text *to);
void quotes_ask(const struct quote_wish *);

/* May what goes out for it go out for others that have joined it, after it was answered itself? */
bool quote_may_be_shared(const struct quote_wish *);

/* An origin reads "/q/TARGET"; false: it is no such target. Then the fields of its head. */
bool quote_begin(unsigned reading, struct span target);
void quote_field(unsigned reading, struct span name, struct span value);
unsigned quote_number(unsigned reading); /* the try; 0: not read yet */

/* It answers so, with these fields more, and with a body of that size. */
#define QUOTE_FIELDS 3
struct quote_pair {
    const char *name, *value;
};
size_t quote_answer(unsigned reading, unsigned status, size_t size,
                    struct quote_pair to[QUOTE_FIELDS]);
void quote_body(unsigned reading, size_t size, struct text *to);

/* The last byte of the answer is the one before `at` of what is sent on this end. */
void quote_sent(unsigned reading, struct end *, uint64_t at);

/* A client has got this answer, which an origin gave, to try `number`, which it sent at
 * `asked_us`. */
void quotes_judge(const struct quote_wish *, unsigned number, uint64_t asked_us,
                  const struct answer *);

/* By what the answers said: how many of each; and how many there can have been. */
enum quote_result { QUOTE_HIT, QUOTE_MISS, QUOTE_STALE, QUOTE_COLLAPSED, QUOTE_RESULTS };
unsigned quotes_heard(enum quote_result);
unsigned quotes_asked(void);
