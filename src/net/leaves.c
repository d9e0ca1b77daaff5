#include "net/leaves.h"

#include <mbedtls/error.h>
#include <stdio.h>
#include <string.h>

#include "base/state.h"

/* Not an error of mbedTLS's: a reload has removed the CA. */
#define WITHDRAWN 1

/* MINTING: the job is with the worker. READY: `context` can be used. FAILED: the error is reported
 * to the waiters, then the entry is dropped. */
#define LEAF_STATES(S)                                                                             \
    S(LEAF_MINTING, "minting", TO(LEAF_READY) | TO(LEAF_FAILED))                                   \
    S(LEAF_READY, "ready", TO(LEAF_MINTING))                                                       \
    S(LEAF_FAILED, "failed", TO(LEAF_MINTING))
STATE_TYPE(leaf, LEAF_STATES)

struct entry {
    struct link link;
    struct leaves *leaves; /* NULL: freed while it was being minted */
    enum leaf_state state;
    struct list waits;
    struct job job;
    struct task task; /* notifies the waiters */
    struct ca *ca;    /* the CA of the job, or the one that signed; one reference */
    time_t signed_at; /* wall clock, when the job was submitted */
    struct leaf leaf; /* of the job */
    int error;        /* of the job; or WITHDRAWN */
    time_t renew_at;
    struct tls_context *context; /* READY: one reference */
    char host[];
};

struct leaves {
    struct loop *loop;
    struct worker *worker;
    struct ca *ca;
    struct list entries; /* the most recently used first */
};

static void enter(struct entry *e, enum leaf_state to)
{
    STATE_ENTER(leaf, &e->state, to, e->host, 0);
}

static void forget(struct entry *e)
{
    CHECK(e->waits.count == 0 && e->state != LEAF_MINTING);
    list_remove(&e->link);
    task_forget(&e->task);
    if (e->context)
        tls_context_unref(e->context);
    ca_unref(e->ca);
    free(e);
}

/* ------------------------------------------------------------------- minting */

static void work(struct job *job)
{
    struct entry *e = container_of(job, struct entry, job);
    e->error = ca_sign(e->ca, e->host, e->signed_at, &e->leaf);
}

static void mint(struct entry *e)
{
    struct leaves *l = e->leaves;
    ca_unref(e->ca);
    e->ca = ca_ref(l->ca);
    if (e->context)
        tls_context_unref(e->context);
    e->context = NULL;
    if (e->state != LEAF_MINTING)
        enter(e, LEAF_MINTING);
    e->signed_at = loop_wall_s(l->loop);
    worker_submit(l->worker, &e->job);
}

static void settle(struct entry *e)
{
    if (e->error == 0) {
        e->renew_at = e->leaf.renew_at;
        e->context = tls_context_serve(e->host, &e->leaf);
    } else {
        leaf_free(&e->leaf);
    }
    enter(e, e->error ? LEAF_FAILED : LEAF_READY);
    loop_defer(e->leaves->loop, &e->task);
}

static bool is_current(const struct entry *e)
{
    return e->leaves->ca && ca_is(e->ca, e->leaves->ca);
}

/* A reload may have put another CA in place meanwhile. */
static void done(struct job *job)
{
    struct entry *e = container_of(job, struct entry, job);
    if (e->leaves && is_current(e)) {
        settle(e);
        return;
    }
    leaf_free(&e->leaf);
    e->error = WITHDRAWN;
    enter(e, LEAF_FAILED);
    if (e->leaves == NULL)
        forget(e);
    else if (leaves_may_sign(e->leaves, e->host))
        mint(e);
    else
        loop_defer(e->leaves->loop, &e->task);
}

/* ----------------------------------------------------------------- notifying */

static void notify(struct task *task)
{
    struct entry *e = container_of(task, struct entry, task);
    struct tls_context *context;
    bool failed = e->state == LEAF_FAILED;
    char why[160] = "";
    struct link *first;
    if (e->state == LEAF_MINTING) /* the CA has changed since the task was deferred */
        return;
    if (failed && e->error == WITHDRAWN)
        snprintf(why, sizeof why, "the CA may no longer vouch for it");
    else if (failed)
        mbedtls_strerror(e->error, why, sizeof why);
    context = e->context ? tls_context_ref(e->context) : NULL;
    while ((first = list_first(&e->waits)) != NULL) {
        struct leaf_wait *w = container_of(first, struct leaf_wait, link);
        list_remove(first);
        w->done(w, context, why);
    }
    if (context)
        tls_context_unref(context);
    if (failed)
        forget(e);
}

static struct entry *find(struct leaves *l, const char *host)
{
    LIST_FOR (&l->entries, e, struct entry, link)
        if (strcmp(e->host, host) == 0)
            return e;
    return NULL;
}

/* An entry that has waiters is kept. */
static void make_room(struct leaves *l)
{
    struct link *last = list_last(&l->entries);
    struct entry *e = LIST_ENTRY(last, struct entry, link);
    if (l->entries.count >= LEAVES_MAX && e->state == LEAF_READY && e->waits.count == 0)
        forget(e);
}

static struct entry *add(struct leaves *l, const char *host)
{
    size_t size = strlen(host) + 1;
    make_room(l);
    struct entry *e = must_calloc(1, sizeof *e + size);
    memcpy(e->host, host, size);
    e->leaves = l;
    e->job = (struct job){.work = work, .done = done, .yields = true};
    task_init(&e->task, notify);
    list_init(&e->waits);
    list_push_front(&l->entries, &e->link);
    mint(e);
    return e;
}

void leaves_ask(struct leaves *l, const char *host, struct leaf_wait *w)
{
    struct entry *e = find(l, host);
    CHECK(leaves_may_sign(l, host));
    if (e == NULL)
        e = add(l, host);
    else if (e->state == LEAF_READY && (loop_wall_s(l->loop) >= e->renew_at || !is_current(e)))
        mint(e);
    else if (e->state != LEAF_MINTING)
        loop_defer(l->loop, &e->task);
    list_remove(&e->link);
    list_push_front(&l->entries, &e->link);
    list_push_back(&e->waits, &w->link);
}

void leaves_forget(struct leaf_wait *w)
{
    list_remove(&w->link);
}

/* ----------------------------------------------------------------- life cycle */

struct leaves *leaves_new(struct loop *loop, struct worker *worker)
{
    struct leaves *l = NEW(struct leaves);
    l->loop = loop;
    l->worker = worker;
    list_init(&l->entries);
    return l;
}

/* Waiters whose notification is already deferred get the certificate of the old CA. */
void leaves_use(struct leaves *l, struct ca *ca)
{
    struct ca *old = l->ca;
    l->ca = ca ? ca_ref(ca) : NULL;
    ca_unref(old);
    LIST_FOR (&l->entries, e, struct entry, link)
        if (e->state == LEAF_READY && e->waits.count == 0 && !is_current(e))
            forget(e);
}

bool leaves_may_sign(const struct leaves *l, const char *host)
{
    return l->ca && ca_may_sign(l->ca, host, loop_wall_s(l->loop));
}

size_t leaves_count(const struct leaves *l)
{
    return l->entries.count;
}

void leaves_free(struct leaves *l)
{
    if (l == NULL)
        return;
    LIST_FOR (&l->entries, e, struct entry, link) {
        CHECK(e->waits.count == 0);
        list_remove(&e->link);
        e->leaves = NULL;
        if (e->state == LEAF_MINTING) {
            if (!worker_forget(l->worker, &e->job))
                continue; /* done() frees it */
            enter(e, LEAF_FAILED);
        }
        forget(e);
    }
    ca_unref(l->ca);
    free(l);
}
