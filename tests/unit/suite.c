#include "suite.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storm.h"

struct suite {
    Suite *tests;
    const char *selected; /* CK_RUN_CASE: the one test to run; NULL: all */
    int count;            /* the number of tests selected */
    bool storms;          /* are among them */
    bool forks;           /* regardless of CK_FORK */
    double timeout_s;     /* of the tests that are added from now on; 0: the default */
    void (*setup)(void), (*teardown)(void);
    void (*before)(void), (*after)(void);
};

void suite_add(struct suite *suite, const TTest *test, int first, int end, bool aborts)
{
    TCase *tcase = tcase_create(test->name);
    if (suite->timeout_s > 0)
        tcase_set_timeout(tcase, suite->timeout_s);
    tcase_add_checked_fixture(tcase, suite->setup, suite->teardown);
    _tcase_add_test(tcase, test, aborts ? SIGABRT : 0, 0, first, end);
    suite_add_tcase(suite->tests, tcase);
    if (suite->selected && strcmp(suite->selected, test->name) != 0)
        return;
    suite->count++;
    suite->forks = suite->forks || aborts;
}

void suite_storm(struct suite *suite, const TTest *test, int times)
{
    int before = suite->count;
    if (getenv("TRUNKLINE_VALGRIND")) /* which takes minutes for them all */
        times = (times + 3) / 4;
    suite_add(suite, test, 0, times, false);
    suite->storms = suite->storms || suite->count > before;
}

void suite_fixture(struct suite *suite, void (*setup)(void), void (*teardown)(void))
{
    suite->setup = setup;
    suite->teardown = teardown;
}

void suite_once(struct suite *suite, void (*setup)(void), void (*teardown)(void))
{
    suite->before = setup;
    suite->after = teardown;
}

void suite_timeout(struct suite *suite, double seconds)
{
    suite->timeout_s = seconds;
}

/* Returns "pool" for "../tests/unit/check_pool.c". */
static void name_of(const char *file, char *name, size_t size)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    if (strncmp(base, "check_", 6) == 0)
        base += 6;
    snprintf(name, size, "%.*s", (int)strcspn(base, "."), base);
}

static int run(struct suite *suite)
{
    SRunner *runner = srunner_create(suite->tests);
    if (suite->forks)
        srunner_set_fork_status(runner, CK_FORK);
    uint64_t seed = storm_choose_seed();
    if (suite->before)
        suite->before();
    srunner_run_all(runner, CK_ENV);
    if (suite->after)
        suite->after();
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (failed && suite->storms)
        printf("its storms again: STORM_SEED=%" PRIu64 "\n", seed);
    return failed ? 1 : 0;
}

int suite_run(const char *file, void (*list)(struct suite *suite))
{
    char name[128];
    name_of(file, name, sizeof name);
    struct suite suite = {.tests = suite_create(name), .selected = getenv("CK_RUN_CASE")};
    (void)setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    list(&suite);
    if (suite.count > 0)
        return run(&suite);
    fprintf(stderr, "%s: no test is named %s\n", name, suite.selected ? suite.selected : "at all");
    srunner_free(srunner_create(suite.tests));
    return 1;
}
