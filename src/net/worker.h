/* The one thread beside the loop: handshake steps, certificate parsing and
 * other work of over a millisecond, first in, first out, but that jobs which yield
 * wait for all others. At most two jobs are handed over at a time, one that yields
 * only when there is nothing else: so who does not yield waits for one of them at
 * most. The rest wait on the loop's side, where they can be forgotten. Owned by
 * main; outlives everything that uses it. */
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

/* Takes a job back that the thread has not got yet. False: it is running, and
 * done() will come. */
bool worker_forget(struct worker *, struct job *);

/* Waits for what runs, ends the thread and closes its handle; freed once the
 * loop has turned. */
void worker_free(struct worker *);
