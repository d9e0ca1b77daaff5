/* A line on its way to the file of an order journal, and its outcome; or what comes the other way, what
 * others have written there (order_other.h). Embedded in its owner, which must not be freed while it is
 * given to the writer (order_writer.h). It is with its owner, given, or with the thread. */
#pragma once

#include "base/list.h"
#include "base/text.h"

struct order_file;

/* UNSURE: it may be in the file, in part or not synced. */
enum order_written { ORDER_WRITTEN, ORDER_UNWRITTEN, ORDER_UNSURE };

struct order_writing {
    struct link link;
    struct text line; /* with its "\n" */
    struct order_file
        *switch_to; /* instead of a line: what follows goes to this file; taken over */
    bool syncs;     /* it is written when it is on the disk */
    bool is_other;  /* the thread made it: see order_other.h */
    bool is_begun;  /* a part of it is in the file, the rest is for the thread */
    bool is_given;  /* for its owner, who may not look at the link meanwhile */
    enum order_written outcome;
    int error;                            /* an errno, if it is not written */
    void (*done)(struct order_writing *); /* for its owner's use */
};
