/* The reserve: it is lent once, and missing until it is refilled. That a failing allocation is
 * served from the reserve is tested in tests/integration/test_shortage.py. */
#include "base/alloc.h"

#include "suite.h"

START_TEST(lent_once)
{
    ck_assert(!alloc_rescue()); /* there is no reserve yet */
    ck_assert(!alloc_is_short());
    alloc_prepare();
    alloc_prepare(); /* the reserve is there already */
    ck_assert(!alloc_is_short());
    ck_assert(alloc_rescue());
    ck_assert(!alloc_rescue());
    ck_assert(!alloc_is_short()); /* refilled: there is enough memory here */
    ck_assert(alloc_rescue());
    ck_assert(!alloc_is_short());
    ck_assert(alloc_rescue());
}
END_TEST

START_TEST(what_must_be_had)
{
    char *p = must_malloc(10), *copy;
    p[0] = 'a';
    p[1] = '\0';
    p = must_realloc(p, 100);
    copy = must_strdup(p);
    ck_assert_str_eq(copy, "a");
    free(copy);
    free(p);
}
END_TEST

SUITE()
{
    TEST(lent_once);
    TEST(what_must_be_had);
}
