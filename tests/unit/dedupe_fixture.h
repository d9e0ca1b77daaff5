/* Orders and their copies, and what each of them hears. Fixture of the tests of dedupe. */
#pragma once

#include <stdio.h>

#include "base/log.h"
#include "proxy/dedupe.h"
#include "suite.h"

#define WITHIN 10000

struct party {
    struct dedupe_claim claim;
    struct request_id id;
    bool in, late; /* takes part; its own time to be sent is over */
    enum sent sent;
    bool may_stop;
    unsigned turns, fates, lates;
    unsigned status; /* of the fate it heard */
    enum failure error;
    enum sent fate_sent;
    uint64_t age_ms;
    bool got_answer;
    char told_id[REQUEST_ID_SIZE];
    void (*then)(const struct dedupe_fate *); /* when it has heard a fate */
};

static struct loop *loop;
static struct dedupe *dedupe;

static inline void on_fate(void *owner, const struct dedupe_fate *f)
{
    struct party *p = owner;
    ck_assert(p->in && p->claim.record == NULL);
    p->in = false;
    p->fates++;
    p->status = f->status;
    p->error = f->error;
    p->fate_sent = f->sent;
    p->age_ms = f->age_ms;
    p->got_answer = f->answer != NULL;
    strcpy(p->told_id, f->id->text);
    if (p->then)
        p->then(f);
}

static inline bool on_turn(void *owner)
{
    struct party *p = owner;
    ck_assert(p->in);
    if (p->late)
        return false;
    p->turns++;
    return true;
}

static inline void on_late(void *owner, const struct request_id *id)
{
    struct party *p = owner;
    ck_assert(p->in && p->claim.record == NULL);
    p->in = false;
    p->lates++;
    strcpy(p->told_id, id->text);
}

static inline enum sent sent(const void *owner)
{
    return ((const struct party *)owner)->sent;
}

static inline bool may_stop(const void *owner)
{
    return ((const struct party *)owner)->may_stop;
}

static inline struct order_digest digest(unsigned n)
{
    struct order_digest d = {{(unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16)}};
    return d;
}

static inline enum dedupe_part enter_as(struct party *p, const char *name, const char *upstream,
                                        unsigned order)
{
    static const struct dedupe_events events = {on_fate, on_turn, on_late, sent, may_stop};
    struct order_digest d = digest(order);
    *p = (struct party){.in = true};
    snprintf(p->id.text, sizeof p->id.text, "%s", name);
    p->claim = (struct dedupe_claim){.events = &events, .owner = p, .id = &p->id};
    enum dedupe_part part = dedupe_enter(dedupe, &p->claim, upstream, &d, WITHIN);
    p->in = part != DEDUPE_FULL;
    return part;
}

static inline void first(struct party *p, const char *name)
{
    ck_assert_int_eq(enter_as(p, name, "x", 1), DEDUPE_FIRST);
}

static inline void copy(struct party *p, const char *name)
{
    ck_assert_int_eq(enter_as(p, name, "x", 1), DEDUPE_COPY);
}

static inline struct kept_answer *answer(size_t len)
{
    static char bytes[KEPT_ANSWER_MAX];
    struct kept_answer *k =
        kept_answer_new(&(struct response){.status = 200, .framing = FRAMING_CHUNKED});
    ck_assert(kept_answer_add(k, bytes, len));
    kept_answer_end(k);
    return k;
}

static inline void be_answered(struct party *p, uint64_t age_ms, size_t len)
{
    struct kept_answer *k = answer(len);
    dedupe_answered(&p->claim, age_ms, 200, k);
    kept_answer_unref(k);
    p->in = false;
}

static inline void be_lost(struct party *p, enum failure error, enum sent how)
{
    dedupe_lost(&p->claim, 0, 0, error, how);
    p->in = false;
}

static inline void turn(void)
{
    loop_turn(loop, false);
}

static inline void start(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new();
    loop_hold(loop);
    loop_skip(loop, 1000000);
    dedupe = dedupe_new(loop);
}

static inline void stop(void)
{
    dedupe_free(dedupe);
    loop_free(loop);
}
