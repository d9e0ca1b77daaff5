#include "base/duration.h"
#include "suite.h"

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

SUITE()
{
    TEST(test_largest_whole_unit);
    TEST(test_largest_number);
}
