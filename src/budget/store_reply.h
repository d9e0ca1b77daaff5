/* Replies of a store (RESP, the protocol of Redis and Valkey), read by hiredis's reader, which
 * calls back for each element. A parser is owned by its connection; it is reading, or broken by an
 * error in the protocol, after which it must be freed. Everything is bounded: a reply that is too
 * large is such an error. */
#pragma once

#include "base/check.h"
#include "base/span.h"

enum store_reply_type { STORE_NIL, STORE_INTEGER, STORE_TEXT, STORE_ERROR, STORE_LIST };

#define STORE_REPLY_BYTES_MAX ((size_t)512 * 1024)
#define STORE_REPLY_ELEMENTS_MAX 4096

struct store_reply {
    enum store_reply_type type;
    int64_t integer;
    struct span text; /* of a text or an error; followed by a NUL */
    size_t count;     /* of a list */
    struct store_reply *first, *last, *next;
};

struct store_parser;
struct store_parser *store_parser_new(void);
void store_parser_free(struct store_parser *);

/* Takes bytes in. False: too many that make no whole reply. */
bool store_parser_feed(struct store_parser *, const char *data, size_t len) MUST_CHECK;

/* The next whole reply, to be freed by store_reply_free(). NULL: there is none yet, or the protocol
 * is broken, as store_parser_error() says. */
struct store_reply *store_parser_next(struct store_parser *);
void store_reply_free(struct store_reply *);

/* What is wrong; NULL: nothing. */
const char *store_parser_error(const struct store_parser *);

/* The n-th element of a list; NULL: it is no list, or shorter. */
const struct store_reply *store_reply_at(const struct store_reply *, size_t n);
