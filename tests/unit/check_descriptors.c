/* How the last descriptors are shared, under limits that the test sets. */
#include "base/descriptors.h"

#include <errno.h>
#include <sys/resource.h>

#include "suite.h"

/* valgrind does not allow the hard limit to be changed: then there is nothing to test. */
static bool limit_to(rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {soft, hard};
    bool allowed = setrlimit(RLIMIT_NOFILE, &limit) == 0;
    ck_assert(allowed || errno == EPERM);
    return allowed;
}

START_TEST(raised_as_far_as_allowed)
{
    if (!limit_to(100, 200))
        return;
    ck_assert_uint_eq(descriptors_raise(50), 100); /* never lowered */
    ck_assert_uint_eq(descriptors_raise(150), 150);
    ck_assert_uint_eq(descriptors_raise(1000), 200);
}
END_TEST

START_TEST(the_last_are_shared_out)
{
    if (!limit_to(64, 64)) /* an eighth is in reserve: 8; lines may take 4, then 2 */
        return;
    ck_assert_uint_eq(descriptors_raise(64), 64);
    ck_assert_int_eq(descriptors_beside(0), DESCRIPTORS_ENOUGH);
    ck_assert_int_eq(descriptors_beside(55), DESCRIPTORS_ENOUGH);
    ck_assert_int_eq(descriptors_beside(56), DESCRIPTORS_FEW);
    ck_assert_int_eq(descriptors_beside(59), DESCRIPTORS_FEW);
    ck_assert_int_eq(descriptors_beside(60), DESCRIPTORS_SCARCE);
    ck_assert_int_eq(descriptors_beside(61), DESCRIPTORS_SCARCE);
    ck_assert_int_eq(descriptors_beside(62), DESCRIPTORS_GONE);
    ck_assert_int_eq(descriptors_beside(63), DESCRIPTORS_GONE);
}
END_TEST

START_TEST(of_many_only_few_are_spare)
{
    if (!limit_to(4096, 4096))
        return;
    ck_assert_uint_eq(descriptors_raise(4096), 4096);
    ck_assert_int_eq(descriptors_beside(4095 - 64), DESCRIPTORS_ENOUGH);
    ck_assert_int_eq(descriptors_beside(4095 - 63), DESCRIPTORS_FEW);
    ck_assert_int_eq(descriptors_beside(4095 - 15), DESCRIPTORS_GONE);
}
END_TEST

SUITE()
{
    TEST(raised_as_far_as_allowed);
    TEST(the_last_are_shared_out);
    TEST(of_many_only_few_are_spare);
}
