/* Numbers with units: durations, sizes, counts and rates. */
#include <stdio.h>

#include "config/quantity.h"

#include "config_fixture.h"
#include "suite.h"

START_TEST(durations_have_units_and_fractions)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"90", 90000},          {"90s", 90000},   {"100ms", 100},     {"0.5s", 500},
                {"1.5", 1500},          {"2m", 120000},   {"1.25h", 4500000}, {"0.001s", 1},
                {"8760h", 31536000000}, {"\"7s\"", 7000}, {"0.05m", 3000},    {"3000us", 3},
                {"0.002s", 2}};
    static const char *const bad[] = {"-1",
                                      "1d",
                                      "s",
                                      ".5",
                                      "5.",
                                      "0",
                                      "0.0s",
                                      "1e3",
                                      "0.0000001s",
                                      "\"\"",
                                      "8761h",
                                      "1S",
                                      "5;",
                                      "1.2.3",
                                      "0x10",
                                      "\" 1\"",
                                      "99999999999999999999h",
                                      "999999999999999999h"};
    char text[100];
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        snprintf(text, sizeof text, "client_idle_timeout = %s", good[i].text);
        struct config *c = parse_good(text);
        ck_assert_uint_eq(c->client_idle_timeout, good[i].ms);
        config_unref(c);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        snprintf(text, sizeof text, "\n\nclient_idle_timeout = %s", bad[i]);
        refuse_at(text, 3, "client_idle_timeout = ");
        refuse_at(text, 3, "must be a duration (us ms s m h) from 1ms to 8760h");
    }
    refuse("client_idle_timeout = -1s", "t.conf:1: client_idle_timeout = -1s: must be a duration "
                                        "(us ms s m h) from 1ms to 8760h\n");
}
END_TEST

/* Nothing is rounded: 10us must not become a timeout of 0, which switches some directives off. */
START_TEST(a_duration_too_fine_for_its_directive_is_an_error)
{
    static const char *const fine[] = {"1us", "10us", "1500us", "1.5ms", "0.0001s", "59999.999ms"};
    char why[300];
    uint64_t number;
    for (const struct directive *d = directives; d < directives + ALL_ROWS; d++)
        for (size_t i = 0; i < COUNT_OF(fine) && d->type == TYPE_DURATION; i++) {
            ck_assert_msg(!quantity_read(d, fine[i], &number, why, sizeof why), "%s", d->name);
            ck_assert_ptr_nonnull(
                strstr(why, "must be a duration (us ms s m h), in whole milliseconds, from "));
        }
}
END_TEST

static uint64_t read_as(enum directive_row row, const char *text)
{
    char why[300];
    uint64_t number;
    return quantity_read(&directives[row], text, &number, why, sizeof why) ? number : UINT64_MAX;
}

START_TEST(sizes_and_counts_are_exact)
{
    ck_assert_uint_eq(read_as(ROW_GLOBAL_cache_size, "32m"), UINT64_C(32) << 20);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_cache_size, "1.5k"), 1536);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_cache_size, "1024g"), UINT64_C(1024) << 30);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_cache_size, "1025g"), UINT64_MAX);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_cache_size, "1.0001k"), UINT64_MAX);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_cache_size, "1ms"), UINT64_MAX);
    ck_assert_uint_eq(read_as(ROW_max_requests, "4294967295"), UINT32_MAX);
    ck_assert_uint_eq(read_as(ROW_max_requests, "4294967296"), UINT64_MAX);
    ck_assert_uint_eq(read_as(ROW_max_requests, "1.0"), UINT64_MAX);
    ck_assert_uint_eq(read_as(ROW_hold_status, "599"), 599);
    ck_assert_uint_eq(read_as(ROW_hold_status, "600"), UINT64_MAX);
    ck_assert_uint_eq(read_as(ROW_hold_status, "4xx"), UINT64_MAX);
}
END_TEST

START_TEST(microseconds_are_exact)
{
    ck_assert_uint_eq(read_as(ROW_GLOBAL_busy_poll, "50us"), 50);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_busy_poll, "1.5ms"), 1500);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_busy_poll, "0.00005s"), 50);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_busy_poll, "0"), 0);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_busy_poll, "10ms"), 10000);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_busy_poll, "10001us"), UINT64_MAX);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_busy_poll, "0.5us"), UINT64_MAX);
    ck_assert_uint_eq(read_as(ROW_GLOBAL_busy_poll, "1"), UINT64_MAX);
}
END_TEST

START_TEST(rates_are_counts_by_durations)
{
    static const char *const bad[] = {
        "",       "5",          "5/",    "/1s",     "0/1s",
        "5/0",    "5/25h",      "5/1s ", "-1/1s",   "1.5/1s",
        "5 /1s",  "1000001/1m", "5//1s", "5/1s/1s", "99999999999999999999/1s",
        "5/500us"};
    char why[300];
    struct config_rate rate;
    ck_assert(quantity_read_rate(&directives[ROW_rate], "1200/1m", &rate, why, sizeof why));
    ck_assert(rate.count == 1200 && rate.per_ms == 60000);
    ck_assert(quantity_read_rate(&directives[ROW_rate], "1/0.5", &rate, why, sizeof why));
    ck_assert(rate.count == 1 && rate.per_ms == 500);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        ck_assert_msg(!quantity_read_rate(&directives[ROW_rate], bad[i], &rate, why, sizeof why),
                      "%s", bad[i]);
        ck_assert_ptr_nonnull(strstr(why, "from 1/1ms to 1000000/24h"));
    }
}
END_TEST

START_TEST(numbers_are_printed_as_they_are_read)
{
    static const struct {
        enum directive_type type;
        uint64_t number;
        const char *text;
    } all[] = {{TYPE_DURATION, 0, "0"},
               {TYPE_DURATION, 1, "1ms"},
               {TYPE_DURATION, 1500, "1500ms"},
               {TYPE_DURATION, 90000, "90s"},
               {TYPE_DURATION, 3600000, "1h"},
               {TYPE_SIZE, 1536, "1536"},
               {TYPE_SIZE, 1 << 15, "32k"},
               {TYPE_SIZE, 1 << 30, "1g"},
               {TYPE_COUNT, 60, "60"},
               {TYPE_MICROS, 50, "50us"},
               {TYPE_MICROS, 1500, "1500us"},
               {TYPE_MICROS, 2000, "2ms"},
               {TYPE_MICROS, 0, "0"}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct text out = {0};
        quantity_print(all[i].type, all[i].number, &out);
        ck_assert_str_eq(out.at, all[i].text);
        text_free(&out);
    }
}
END_TEST

SUITE()
{
    FIXTURE(NULL, forget);
    TEST(durations_have_units_and_fractions);
    TEST(a_duration_too_fine_for_its_directive_is_an_error);
    TEST(sizes_and_counts_are_exact);
    TEST(microseconds_are_exact);
    TEST(rates_are_counts_by_durations);
    TEST(numbers_are_printed_as_they_are_read);
}
