/* The one thread beside the loop, for handshake steps, certificate parsing and other work that
 * takes more than a millisecond. Owned by the daemon; outlives everything that uses it. Jobs
 * run first in, first out, except that jobs which yield wait for all others. At most two jobs
 * are with the thread at a time, one that yields only if there is no other: so a job that does
 * not yield waits for one of those at most. The rest wait on the loop's side, where they can be
 * taken back. A job is waiting, running (with the thread), or neither. */
#pragma once

#include "net/loop.h"

struct worker;

/* Lives inside its owner, which must not be freed while it is under way. */
struct job {
    struct link link;
    void (*work)(struct job *); /* on the thread: touches nothing but the job's own */
    void (*done)(struct job *); /* on the loop, after; never from worker_submit() */
    bool running;               /* handed over and not done yet */
    bool yields;                /* to every job that does not */
};

struct worker *worker_new(struct loop *);
void worker_submit(struct worker *, struct job *);

/* Takes back a job that the thread does not have yet. False: it is running, and done() will
 * come. */
bool worker_forget(struct worker *, struct job *);

/* Waits for the job that runs, ends the thread and closes its handle; it is freed once the loop
 * has turned. */
void worker_free(struct worker *);
