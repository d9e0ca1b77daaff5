/* Remembers the orders that were sent, so that a copy of one is not sent too (contract 12,
 * `dedupe`): each order by its digest, with its fate as soon as that is known. Owned by the proxy.
 * An order is under way (for one request, its first), vacant (that one ended unsent, and a copy
 * is about to go in its place), or its fate is known: answered, or unknown; then it is remembered
 * for a time, and forgotten.
 *
 * Each request that takes part has a claim, embedded in its exchange: the first's, or a copy's,
 * which waits until it hears the fate or goes itself. No more than DEDUPE_ORDERS_MAX orders are
 * remembered, and beyond that no further one is accepted: to forget one within its time would
 * allow it to be sent twice. Kept answers take at most DEDUPE_ANSWERS_MAX bytes: the oldest
 * are dropped, and of their orders only the status is known. */
#pragma once

#include "base/failure.h"
#include "net/loop.h"
#include "proxy/kept_answer.h"
#include "proxy/order_digest.h"

#define DEDUPE_ORDERS_MAX 65536
#define DEDUPE_ANSWERS_MAX (32 * 1024 * 1024)

struct dedupe;
struct dedupe_claim;

/* What became of an order. Borrowed until return. */
struct dedupe_fate {
    const struct request_id *id; /* of the request that was sent */
    uint64_t age_ms;             /* since it was sent */
    struct kept_answer *answer;  /* NULL: there is none, or it was not kept */
    unsigned status;             /* of the answer; 0: none came, its fate is unknown */
    enum failure error;          /* our own, with which it ended; FAILURE_NONE: none */
    enum sent sent;
    bool is_open; /* another life has begun it, and its end may follow: dedupe_settle() */
};

/* Called from the loop, never from within a call of the claim's owner, except for `sent`. */
struct dedupe_events {
    /* To a copy that waits: the fate of its order is known. To the first, if may_stop() says so: it
     * has turned out to be a copy itself. The claim is released. */
    void (*on_fate)(void *owner, const struct dedupe_fate *);
    /* To a copy that waits: the order is not under way, so it may go, and is the first from now
     * on. False: its own time to be sent is over; it waits on. */
    bool (*on_turn)(void *owner);
    /* To a copy that waits: no copy could go any more. The claim is released. `id`: of the
     * request that it waited for. */
    void (*on_late)(void *owner, const struct request_id *id);
    /* Asked of the first: what of it can have reached the origin by now. */
    enum sent (*sent)(const void *owner);
    /* Asked of the first: another life has begun the same order, before it did. May it be stopped? */
    bool (*may_stop)(const void *owner);
};

/* The owner sets the first three before dedupe_enter(). */
struct dedupe_claim {
    const struct dedupe_events *events;
    void *owner;
    const struct request_id *id;  /* of the request; lives as long as the claim */
    struct dedupe_record *record; /* NULL: no part is taken */
    struct link link;             /* among the copies that wait */
};

enum dedupe_part {
    DEDUPE_FIRST, /* it may go, and one of the calls for the first must follow */
    DEDUPE_COPY,  /* it waits, until an event or dedupe_leave() */
    DEDUPE_FULL   /* no more orders can be remembered; the claim takes no part */
};

struct dedupe *dedupe_new(struct loop *);

/* No claim may be left. */
void dedupe_free(struct dedupe *);

/* Takes part in the order of `upstream` with this digest. An order of which the fate is known
 * counts if it was sent within the last `within_ms`, one of unknown fate if it was given up
 * within that time: it may have left until then. */
enum dedupe_part dedupe_enter(struct dedupe *, struct dedupe_claim *, const char *upstream,
                              const struct order_digest *, uint64_t within_ms);

/* The first was answered, having been sent `age_ms` ago. `answer` is the whole answer (a
 * reference is taken), or NULL if it is not kept. The claim is released. */
void dedupe_answered(struct dedupe_claim *, uint64_t age_ms, unsigned status, struct kept_answer *);

/* The first ended without an answer, with this error of ours (FAILURE_NONE: its client left), or
 * with one that was cut off (`status` is not 0). It was sent `age_ms` ago; if nothing of it was, a
 * copy may go. The claim is released. */
void dedupe_lost(struct dedupe_claim *, uint64_t age_ms, unsigned status, enum failure, enum sent);

/* The copy waits no longer. */
void dedupe_leave(struct dedupe_claim *);

/* Is the order under way? What of it can have reached the origin by now, and the id of the
 * request that is or was sent; for a copy that waits. */
bool dedupe_is_under_way(const struct dedupe_claim *);
enum sent dedupe_sent(const struct dedupe_claim *);
const struct request_id *dedupe_id(const struct dedupe_claim *);

/* Remembers an order of another process. `fate` has no answer. Its time counts from `since_ms`
 * ago, as dedupe_enter() says, and it is remembered for `within_ms` from then on. One that is
 * remembered already stays as it is, unless its first has not left and may be stopped, or it is open
 * and has another id: then the end of neither proves that it was not sent. False: there is no room. */
bool dedupe_recall(struct dedupe *, const char *upstream, const struct order_digest *,
                   const struct dedupe_fate *, uint64_t since_ms, uint64_t within_ms) MUST_CHECK;

/* One of those that were recalled as open has ended so. */
void dedupe_settle(struct dedupe *, const struct dedupe_fate *);

/* The orders that are remembered, and the bytes of their answers. */
size_t dedupe_count(const struct dedupe *);
size_t dedupe_bytes(const struct dedupe *);

/* The 409 to a copy whose order has this fate, and no answer to give. */
struct verdict dedupe_verdict(const struct dedupe_fate *);
