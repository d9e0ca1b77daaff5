/* The runner of the unit tests. A check program is its tests and the list of them:
 *
 *     SUITE()
 *     {
 *         FIXTURE(begin, finish);
 *         TEST(queues_when_full);
 *         LOOP(survives_every_cut, 0, CUTS);
 *     }
 *
 * SUITE() makes the program's main(); the suite is named for its file (check_pool.c:
 * "pool"). Each test is a case of its own, so that CK_RUN_CASE=queues_when_full runs
 * that one alone. libcheck's other variables hold as well: CK_FORK=no runs all tests
 * in one process (for gdb and valgrind), CK_VERBOSITY=verbose lists them,
 * CK_LOG_FILE_NAME writes a log, CK_DEFAULT_TIMEOUT (here 60 s) and
 * CK_TIMEOUT_MULTIPLIER bound each test.
 * A suite lives within main(); its states are being listed, running, done. */
#ifndef TRUNKLINE_SUITE_H
#define TRUNKLINE_SUITE_H

#include <check.h>
#include <stdbool.h>

struct suite;

#define SUITE()                                                                                    \
    static void list_tests(struct suite *suite);                                                   \
    int main(void)                                                                                 \
    {                                                                                              \
        return suite_run(__FILE__, list_tests);                                                    \
    }                                                                                              \
    static void list_tests(struct suite *suite)

/* Adds a test that START_TEST defines. */
#define TEST(test) suite_add(suite, test, 0, 1, false)

/* The same, run for each _i from `first` up to but not including `end`. */
#define LOOP(test, first, end) suite_add(suite, test, first, (int)(end), false)

/* The same, for storms (storm.h): the test is run `times` times, each time with a different
 * seed; a quarter as often if TRUNKLINE_VALGRIND is set. */
#define STORM(test, times) suite_storm(suite, test, times)

/* Adds a test that passes if it calls abort(), as a failing CHECK does. Such a test needs a process
 * of its own: with CK_FORK=no, its whole program forks nevertheless. */
#define ABORTS(test) suite_add(suite, test, 0, 1, true)

/* Calls `setup` and `teardown` (either may be NULL) before and after each of the following tests,
 * up to the next FIXTURE. */
#define FIXTURE(setup, teardown) suite_fixture(suite, setup, teardown)

/* Calls `setup` before the first test that runs and `teardown` after the last, in the process from
 * which the tests are forked. At most one per suite. */
#define ONCE(setup, teardown) suite_once(suite, setup, teardown)

/* The time limit of each of the following tests, in seconds, for tests that need more than 60. */
#define TIMEOUT(seconds) suite_timeout(suite, seconds)

/* The functions behind these macros. Any failure in them ends the program. */
void suite_add(struct suite *suite, const TTest *test, int first, int end, bool aborts);
void suite_storm(struct suite *suite, const TTest *test, int times);
void suite_fixture(struct suite *suite, void (*setup)(void), void (*teardown)(void));
void suite_once(struct suite *suite, void (*setup)(void), void (*teardown)(void));
void suite_timeout(struct suite *suite, double seconds);

/* Runs the tests that `list` adds, and prints what failed. `file` names the suite.
 * Returns the exit status: 0 if at least one test ran and all passed, else 1. */
int suite_run(const char *file, void (*list)(struct suite *suite));

#endif
