/* A thread besides the loop's, for handshake steps, certificate parsing and other work that takes
 * more than a millisecond. The daemon owns one, which outlives everything that uses it; what waits
 * for a disk (saved_file.h) has one of its own, so that no handshake waits behind it. Jobs run
 * first in, first out, except that jobs which yield wait for all others. The thread has at most two
 * jobs at a time, and a job that yields is given to it only if no other is waiting: so a job that
 * does not yield waits for at most one job that does. All other jobs wait on the loop's side, where
 * they can be taken back. A job is waiting, running (with the thread), or neither. */
#pragma once

#include "net/loop.h"

struct worker;

/* Embedded in its owner, which must not be freed while the job is under way. */
struct job {
    struct link link;
    void (*work)(struct job *); /* on the thread: accesses only what belongs to the job */
    void (*done)(struct job *); /* on the loop, afterwards; never from inside worker_submit() */
    bool running;               /* submitted and not done yet */
    bool yields;                /* runs after all jobs that do not yield */
};

struct worker *worker_new(struct loop *);
void worker_submit(struct worker *, struct job *);

/* Takes back a job that the thread does not have yet. Returns false if the thread has it; done()
 * will then be called. */
bool worker_forget(struct worker *, struct job *);

/* Waits for the running job, ends the thread and closes its handle; the worker is freed once the
 * loop has turned. */
void worker_free(struct worker *);
