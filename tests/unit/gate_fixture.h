/* A gate, its settings and its callers, for the tests of src/budget/gate.c. Real time passes too,
 * so intervals measured in it have seconds to spare. */
#pragma once

#include "base/log.h"
#include "budget/gate.h"

#define LONG UINT64_C(3600000)

extern struct loop *loop;
extern struct gate *gate;
extern struct upstream_config settings;
extern unsigned events; /* passed or refused, in total */
extern bool inside;     /* a call of the gate is in progress */

struct gate_caller {
    struct gate_waiter w;
    bool waits;               /* until an event arrives */
    unsigned passed, refused; /* the number of that event, from 1 */
    struct verdict why;
    void (*then)(struct gate_caller *); /* done inside on_pass */
};

void note_pass(void *owner);
struct gate_caller gate_caller(bool is_order, uint64_t credential);

#define QUOTE gate_caller(false, 0)
#define ORDER gate_caller(true, 7)

/* Returns true if it passed at once. */
bool ask(struct gate_caller *a, uint64_t wait_ms);
void forget(struct gate_caller *a);
void limit(const struct gate_limit *l);
void weigh(const char *weight, int64_t now_s);

/* Lets `ms` pass, and runs everything due or deferred by then. */
void pass_time(uint64_t ms);
void begin(unsigned count, uint64_t per_ms, unsigned burst);
void finish(void);

#define MINUTE_START INT64_C(1700000040) /* a full minute of the wall clock */

struct gate_view view(void);

/* Seconds; NO_TIME: the response gives no time. */
#define NO_TIME -1

void answer(unsigned status, int seconds, uint64_t credential);
void tell_weight(const char *weight, int64_t second);
void assert_refused(const struct gate_caller *a, const char *words, unsigned seconds);

/* Checks that a request would be held now: one that cannot wait is refused at once. */
bool is_held(struct gate_caller a);
