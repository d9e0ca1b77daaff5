/* The answer to an order, kept so that copies of the order get it too (contract 12): the head as
 * the origin sent it, and the body, of at most 64 KiB. Owned by counted references: one of the
 * exchange that brings it, then one of `dedupe`, and one of each copy that reads it. It grows
 * until it is whole, and never changes after that. */
#pragma once

#include "base/text.h"
#include "http/message.h"

#define KEPT_ANSWER_MAX (64 * 1024) /* bytes of the body; a longer answer is not kept */

struct kept_answer {
    unsigned references;
    struct arena *arena;  /* of the head; this struct is in it too */
    struct response head; /* of a body of known length, once it is whole */
    struct text body;
    bool refused;       /* see timing.h */
    bool known_refusal; /* likewise */
};

/* Can this one be kept? Not one that is too long, that never ends (an event stream), or that is
 * none (101). */
bool kept_answer_may_begin(const struct response *);

/* From its head, which is copied; one reference is the caller's. */
struct kept_answer *kept_answer_new(const struct response *);

/* A piece of its body (borrowed). False: it has become too long; nothing was added. */
bool kept_answer_add(struct kept_answer *, const char *data, size_t len) MUST_CHECK;

/* It is whole. */
void kept_answer_end(struct kept_answer *);

struct kept_answer *kept_answer_ref(struct kept_answer *);
void kept_answer_unref(struct kept_answer *); /* NULL is allowed */

/* The bytes it occupies. */
size_t kept_answer_size(const struct kept_answer *);
