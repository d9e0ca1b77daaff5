#include <check.h>

#include "base/duration.h"

static void reads(uint64_t ms, const char *text)
{
    char out[DURATION_TEXT_SIZE];
    ck_assert_ptr_eq(duration_text(out, ms), out);
    ck_assert_str_eq(out, text);
}

START_TEST(test_largest_whole_unit)
{
    reads(0, "0s");
    reads(1, "1ms");
    reads(999, "999ms");
    reads(1000, "1s");
    reads(1001, "1001ms");
    reads(9000, "9s");
    reads(60000, "1m");
    reads(61000, "61s");
    reads(90000, "90s");
    reads(600000, "10m");
    reads(3600000, "1h");
    reads(5400000, "90m");
    reads(86400000, "24h");
}
END_TEST

START_TEST(test_largest_number)
{
    reads(UINT64_MAX, "18446744073709551615ms");
    reads(UINT64_MAX / 3600000 * 3600000, "5124095576030h");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("duration");
    TCase *c = tcase_create("all");
    tcase_add_test(c, test_largest_whole_unit);
    tcase_add_test(c, test_largest_number);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
