/* What the process takes, compared with what the test does to it. */
#include "base/process_figures.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "suite.h"

static struct process_figures before, after;

START_TEST(descriptors)
{
    int fds[50];
    struct rlimit limit;
    process_figures_read(&before);
    for (int i = 0; i < 50; i++)
        ck_assert_int_ge(fds[i] = open("/dev/null", O_RDONLY), 0);
    process_figures_read(&after);
    ck_assert_uint_eq(after.descriptors, before.descriptors + 50);
    for (int i = 0; i < 50; i++)
        close(fds[i]);
    process_figures_read(&after);
    ck_assert_uint_eq(after.descriptors, before.descriptors);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(after.descriptors_most, limit.rlim_cur);
}
END_TEST

#define MANY (64 * 1024 * 1024)

START_TEST(memory)
{
    process_figures_read(&before);
    char *at =
        mmap(NULL, MANY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    memset(at, 1, MANY);
    process_figures_read(&after);
    ck_assert_uint_ge(after.virtual_bytes, before.virtual_bytes + MANY);
    ck_assert_uint_gt(after.resident_bytes, before.resident_bytes + MANY / 2);
    ck_assert_uint_ge(after.virtual_bytes, after.resident_bytes);
    munmap(at, MANY);
}
END_TEST

START_TEST(processor_time)
{
    volatile unsigned n = 0;
    process_figures_read(&before);
    do {
        for (int i = 0; i < 1000000; i++)
            n++;
        process_figures_read(&after);
    } while (after.cpu_us < before.cpu_us + 20000);
    ck_assert_uint_lt(after.cpu_us - before.cpu_us, 60000000);
}
END_TEST

SUITE()
{
    TEST(descriptors);
    TEST(memory);
    TEST(processor_time);
}
