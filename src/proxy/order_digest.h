/* The digest of an order: two orders have the same one if and only if method, target, credential
 * fields and body are the same, so that the journal can name an order and a copy of it is found
 * (contract 12). A plain value without owner or states: 128 bits of a SHA-256. It stays the same
 * over restarts and from release to release, since journals of earlier ones are read. */
#pragma once

#include "config/config.h"
#include "protocol/conn.h"

#define ORDER_DIGEST_SIZE 16
#define ORDER_DIGEST_TEXT_SIZE (2 * ORDER_DIGEST_SIZE + 1) /* in hex, with a NUL */

#define ORDER_DIGEST_BODY_MAX (64 * 1024) /* orders with a longer body have no digest */

struct order_digest {
    unsigned char bytes[ORDER_DIGEST_SIZE];
};

/* Digests the request as it is sent to the origin, with all of its body. The credential fields
 * are those that field_is_credential() names; their order counts only among fields of one name,
 * and the case of a name does not (RFC 9110 5.3, 5.1). False: the body is too long, and the
 * digest is all zeros. */
bool order_digest(const struct upstream_config *, const struct conn_request *, struct span body,
                  struct order_digest *) MUST_CHECK;

/* The digest of one request, kept for what asks next; embedded in the owner of the request, zeros at
 * first. */
struct order_digest_memo {
    const struct upstream_config *settings; /* those it was made with; NULL: it was not */
    struct order_digest digest;
};

/* Likewise, but of a request that is digested a second time with the same settings it is known; the body
 * must be the same each time. NULL: nothing is kept. */
bool order_digest_once(struct order_digest_memo *, const struct upstream_config *,
                       const struct conn_request *, struct span body,
                       struct order_digest *) MUST_CHECK;

bool order_digest_equal(const struct order_digest *, const struct order_digest *);

/* Writes it in lower-case hex; reads that back, false if `text` is nothing of the kind. */
void order_digest_write(const struct order_digest *, char to[ORDER_DIGEST_TEXT_SIZE]);
bool order_digest_read(struct span text, struct order_digest *) MUST_CHECK;
