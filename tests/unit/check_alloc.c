/* The reserve: lent once, missed until it is filled again. That an allocation
 * which fails lives on it is for tests/integration/test_shortage.py. */
#include "base/alloc.h"

#include <check.h>

START_TEST(lent_once)
{
    ck_assert(!alloc_rescue()); /* there is none yet */
    ck_assert(!alloc_is_short());
    alloc_prepare();
    alloc_prepare(); /* it is there already */
    ck_assert(!alloc_is_short());
    ck_assert(alloc_rescue());
    ck_assert(!alloc_rescue());
    ck_assert(!alloc_is_short()); /* filled again: there is memory here */
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

int main(void)
{
    Suite *s = suite_create("memory");
    TCase *all = tcase_create("all");
    tcase_add_test(all, lent_once);
    tcase_add_test(all, what_must_be_had);
    suite_add_tcase(s, all);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
