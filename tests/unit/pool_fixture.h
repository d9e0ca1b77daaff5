/* One pool over a fake connector, and callers that use its lines, for
 * check_pool.c, check_lines.c and others. */
#pragma once

#include "base/log.h"
#include "config_fixture.h"
#include "fake_connector.h"
#include "upstream/pool.h"

#define CALLERS 100
#define UNTIL_MS 60000

struct caller {
    struct pool_waiter waiter;
    bool waits;
    struct fake_conn *conn; /* of its line, until it is closed or lost */
    size_t place;           /* its position in the order in which callers got a line */
    unsigned refused;
    struct verdict why;
    bool reused;
    void (*then)(void); /* action to take when it gets its line */
};

extern struct loop *loop;
extern struct pool *pool;
extern struct fake_connector *line_maker;
extern struct caller callers[CALLERS];
extern size_t served;
extern bool emptied, freed;

void begin(const char *directives);
void forget_caller(size_t i);
void finish(void);
void on_line(void *owner, struct line *line);
void on_refused(void *owner, const struct verdict *why);
void call_until(size_t i, bool is_order, uint64_t until_ms);
void call(size_t i, bool is_order);

/* The caller's exchange ends well; the caller's line is lost. */
void hang_up(size_t i);
void lose(size_t i, enum close_reason why);
void refused(size_t i, enum failure why);
struct pool_view look(void);
void call_all(size_t from, size_t to);
size_t have_lines(size_t from, size_t to);

/* Establishes this many lines and leaves them idle. */
void open_lines(size_t count);
uint64_t closed(enum close_reason why);
