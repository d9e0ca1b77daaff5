/* The list of requests in progress: its count, and walks over it while it changes, compared with a
 * plain model at random. */
#include "proxy/under_way.h"

#include <stdlib.h>
#include <string.h>

#include "storm.h"
#include "suite.h"

#define MOST 12

struct request {
    struct under_way_entry entry;
    unsigned number; /* 0: not in progress */
};

static struct under_way all;
static struct request requests[MOST];
static unsigned begun;

static void setup(void)
{
    under_way_init(&all, NULL);
    for (size_t i = 0; i < MOST; i++)
        requests[i] = (struct request){0};
    begun = 0;
}

static void begin(size_t i)
{
    requests[i].number = ++begun;
    under_way_enter(&all, &requests[i].entry, true);
}

static void end(size_t i)
{
    requests[i].number = 0;
    under_way_leave(&all, &requests[i].entry);
}

/* The number of the next request; 0: there is none. */
static unsigned next(struct under_way_walk *w)
{
    struct under_way_entry *e = under_way_next(w);
    return e ? container_of(e, struct request, entry)->number : 0;
}

START_TEST(connects_are_no_requests)
{
    struct under_way_entry connect = {0};
    begin(0);
    under_way_enter(&all, &connect, false);
    ck_assert(all.all.count == 2 && all.requests.count == 1);
    under_way_leave(&all, &connect);
    end(0);
    end(0); /* nothing more */
    ck_assert(all.all.count == 0 && all.requests.count == 0);
}
END_TEST

START_TEST(oldest_first_and_none_that_is_newer)
{
    struct under_way_walk w;
    begin(0);
    begin(1);
    begin(2);
    under_way_walk_begin(&all, &w);
    ck_assert_uint_eq(next(&w), 1);
    begin(3);
    end(1);
    ck_assert_uint_eq(next(&w), 3);
    ck_assert_uint_eq(next(&w), 0);
    ck_assert_uint_eq(next(&w), 0);
    under_way_walk_end(&w);
}
END_TEST

START_TEST(the_last_ones_end_first)
{
    struct under_way_walk w, empty;
    under_way_walk_begin(&all, &empty);
    begin(0);
    begin(1);
    ck_assert_uint_eq(next(&empty), 0);
    under_way_walk_begin(&all, &w);
    begin(2);
    end(1);
    end(0);
    ck_assert_uint_eq(next(&w), 0);
    under_way_walk_end(&w);
    under_way_walk_end(&empty);
}
END_TEST

/* The requests that a walk still has to return. */
struct model {
    struct under_way_walk walk;
    unsigned after, until; /* numbers: last returned, last when the walk began */
    bool open;
};

static unsigned expected(const struct model *m)
{
    unsigned least = 0;
    for (size_t i = 0; i < MOST; i++) {
        unsigned n = requests[i].number;
        if (n > m->after && n <= m->until && (least == 0 || n < least))
            least = n;
    }
    return least;
}

static void step(struct model *m)
{
    if (!m->open) {
        *m = (struct model){.until = begun, .open = true};
        under_way_walk_begin(&all, &m->walk);
        return;
    }
    unsigned want = expected(m), got = next(&m->walk);
    ck_assert_uint_eq(got, want);
    m->after = got;
    if (got)
        return;
    under_way_walk_end(&m->walk);
    m->open = false;
}

static struct model models[3];

static void one_round(void)
{
    size_t i = draw(MOST);
    if (one_in(3))
        step(&models[draw(COUNT_OF(models))]);
    else if (requests[i].number)
        end(i);
    else
        begin(i);
}

START_TEST(at_random)
{
    memset(models, 0, sizeof models);
    storm_seed(_i);
    storm(20000, one_round, NULL);
    for (size_t i = 0; i < COUNT_OF(models); i++)
        while (models[i].open)
            step(&models[i]);
    ck_assert_uint_eq(all.walks.count, 0);
}
END_TEST

SUITE()
{
    FIXTURE(setup, NULL);
    TEST(connects_are_no_requests);
    TEST(oldest_first_and_none_that_is_newer);
    TEST(the_last_ones_end_first);
    STORM(at_random, 5);
}
